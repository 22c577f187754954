//! Pictures and grids of cells.

use crate::support::{Program, random};

#[test]
fn game_of_life() {
    let program = Program::load("images/game_of_life");
    let (height, width) = (37usize, 50usize);
    let mut cells = random(1, height * width, |w| u8::from(w % 3 == 0));
    let mut device_cells = program.stream.clone_htod(&cells).unwrap();
    for generation in 0..4 {
        let mut next = program.stream.alloc_zeros::<u8>(cells.len()).unwrap();
        launch!(program, "game_of_life", (4, 3), (16, 16); &device_cells, &mut next, &(height as i32), &(width as i32));
        let at = |row: usize, column: usize| cells[row % height * width + column % width];
        let alive = |i: usize| {
            let (row, column) = (i / width + height - 1, i % width + width - 1);
            let around: u8 = (0..9).map(|j| at(row + j / 3, column + j % 3)).sum();
            u8::from(around == 3 || (around == 4 && cells[i] == 1)) // with itself
        };
        cells = (0..cells.len()).map(alive).collect();
        assert_eq!(program.stream.clone_dtoh(&next).unwrap(), cells, "generation {generation}");
        device_cells = next;
    }
}

#[test]
fn median_filter() {
    let program = Program::load("images/median_filter");
    let (height, width) = (13usize, 36usize);
    let x = random(2, height * width, |w| w as u8);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<u32>(x.len() / 4).unwrap();
    launch!(program, "median_filter", (1, height as u32), 32; &device_x, &mut y, &(height as i32), &(width as i32));
    let y: Vec<u8> = program.stream.clone_dtoh(&y).unwrap().into_iter().flat_map(u32::to_le_bytes).collect();
    for row in 0..height {
        for column in 0..width {
            let mut around: Vec<u8> = (0..9)
                .map(|i| {
                    let r = (row + i / 3).saturating_sub(1).min(height - 1);
                    let c = (column + i % 3).saturating_sub(1).min(width - 1);
                    x[r * width + c]
                })
                .collect();
            around.sort_unstable();
            assert_eq!(y[row * width + column], around[4], "row {row}, column {column}");
        }
    }
}

#[test]
fn summed_area() {
    let program = Program::load("images/summed_area");
    let (height, width) = (20usize, 75usize);
    let x = random(3, height * width, |w| w as u32);
    let mut device_x = program.stream.clone_htod(&x).unwrap();
    launch!(program, "along_rows", height as u32, 32; &mut device_x, &(width as i32));
    launch!(program, "along_columns", 2, 64; &mut device_x, &(height as i32), &(width as i32));
    let mut expected = x;
    for i in 0..expected.len() {
        let above = |rows: usize, columns: usize| {
            let inside = i / width >= rows && i % width >= columns;
            if inside { expected[i - rows * width - columns] } else { 0 }
        };
        let sum = above(1, 0).wrapping_add(above(0, 1)).wrapping_sub(above(1, 1));
        expected[i] = expected[i].wrapping_add(sum);
    }
    assert_eq!(program.stream.clone_dtoh(&device_x).unwrap(), expected);
}

//! Graphs and tables that many threads change at once by atomics.

use std::collections::HashMap;

use crate::support::{Program, random};

/// Undirected edges between nodes of which many have none.
fn edges(seed: u64, nodes: u64, count: usize) -> Vec<(usize, usize)> {
    random(seed, count, |w| ((w % nodes) as usize, ((w >> 32) % nodes) as usize))
}

#[test]
fn bfs() {
    let program = Program::load("graphs/bfs");
    let nodes = 400;
    let mut neighbours = vec![Vec::new(); nodes];
    for (a, b) in edges(1, nodes as u64, 500) {
        neighbours[a].push(b as i32);
        neighbours[b].push(a as i32);
    }
    let mut expected = vec![-1; nodes];
    expected[0] = 0;
    let mut queue = std::collections::VecDeque::from([0usize]);
    while let Some(node) = queue.pop_front() {
        for &other in &neighbours[node] {
            if expected[other as usize] == -1 {
                expected[other as usize] = expected[node] + 1;
                queue.push_back(other as usize);
            }
        }
    }
    let starts: Vec<i32> = std::iter::once(0)
        .chain(neighbours.iter().scan(0, |end, of| {
            *end += of.len() as i32;
            Some(*end)
        }))
        .collect();
    let starts = program.stream.clone_htod(&starts).unwrap();
    let neighbours = program.stream.clone_htod(&neighbours.concat()).unwrap();
    let mut levels = vec![-1; nodes];
    levels[0] = 0;
    let mut levels = program.stream.clone_htod(&levels).unwrap();
    let mut frontier = program.stream.clone_htod(&vec![0; nodes]).unwrap();
    let (mut length, mut level) = (1, 0);
    while length > 0 {
        level += 1;
        let mut next = program.stream.alloc_zeros::<i32>(nodes).unwrap();
        let mut next_length = program.stream.alloc_zeros::<i32>(1).unwrap();
        launch!(
            program, "bfs", (length as u32).div_ceil(64), 64;
            &starts, &neighbours, &mut levels, &frontier, &mut next, &mut next_length, &length, &level
        );
        length = program.stream.clone_dtoh(&next_length).unwrap()[0];
        frontier = next;
    }
    assert_eq!(program.stream.clone_dtoh(&levels).unwrap(), expected);
    assert!(level > 5, "the graph is deep enough for several launches");
}

#[test]
fn union_find() {
    let program = Program::load("graphs/union_find");
    let nodes = 500i32;
    let edges = edges(2, 500, 350);
    let mut expected: Vec<i32> = (0..nodes).collect();
    loop {
        let before = expected.clone();
        for &(a, b) in &edges {
            let low = expected[a].min(expected[b]);
            (expected[a], expected[b]) = (low, low);
        }
        if before == expected {
            break;
        }
    }
    let flat: Vec<i32> = edges.iter().flat_map(|&(a, b)| [a as i32, b as i32]).collect();
    let flat = program.stream.clone_htod(&flat).unwrap();
    let mut parents = program.stream.clone_htod(&(0..nodes).collect::<Vec<i32>>()).unwrap();
    let mut labels = program.stream.alloc_zeros::<i32>(nodes as usize).unwrap();
    launch!(program, "hook", 6, 64; &mut parents, &flat, &(edges.len() as i32));
    launch!(program, "flatten", 8, 64; &mut parents, &mut labels, &nodes);
    assert_eq!(program.stream.clone_dtoh(&labels).unwrap(), expected); // the root is the least of its component
}

#[test]
fn hash_table() {
    let program = Program::load("graphs/hash_table");
    let (slots, n) = (512u32, 900);
    let keys = random(3, n, |w| (w % 300) * 0x0123_4567_89ab);
    let values = random(4, n, |w| (w % 1000) as u32);
    let mut expected = HashMap::new();
    for (&key, &value) in keys.iter().zip(&values) {
        *expected.entry(key).or_insert(0u32) += value;
    }
    let device_keys = program.stream.clone_htod(&keys).unwrap();
    let device_values = program.stream.clone_htod(&values).unwrap();
    let mut table = program.stream.clone_htod(&vec![u64::MAX; slots as usize]).unwrap();
    let mut sums = program.stream.alloc_zeros::<u32>(slots as usize).unwrap();
    launch!(
        program, "insert", 15, 64;
        &mut table, &mut sums, &slots, &device_keys, &device_values, &(n as i32)
    );
    let wanted: Vec<u64> = (0..350u64).map(|key| key * 0x0123_4567_89ab).collect();
    let device_wanted = program.stream.clone_htod(&wanted).unwrap();
    let mut found = program.stream.alloc_zeros::<u32>(wanted.len()).unwrap();
    launch!(program, "look_up", 6, 64; &table, &sums, &slots, &device_wanted, &mut found, &(wanted.len() as i32));
    let expected: Vec<u32> = wanted.iter().map(|key| expected.get(key).copied().unwrap_or(u32::MAX)).collect();
    assert_eq!(program.stream.clone_dtoh(&found).unwrap(), expected);
}

#[test]
fn shortest_paths() {
    let program = Program::load("graphs/shortest_paths");
    let nodes = 200u64;
    let edges = random(5, 900, |w| [(w % nodes) as i32, ((w >> 20) % nodes) as i32, ((w >> 40) % 50) as i32 + 1]);
    let mut expected = vec![u32::MAX; nodes as usize];
    expected[0] = 0;
    for _ in 0..nodes {
        for &[from, to, length] in &edges {
            let through = expected[from as usize].saturating_add(length as u32);
            expected[to as usize] = expected[to as usize].min(through);
        }
    }
    let device_edges = program.stream.clone_htod(&edges.concat()).unwrap();
    let mut distances = vec![u32::MAX; nodes as usize];
    distances[0] = 0;
    let mut distances = program.stream.clone_htod(&distances).unwrap();
    loop {
        let mut changed = program.stream.alloc_zeros::<i32>(1).unwrap();
        launch!(
            program, "shortest_paths", 15, 64;
            &device_edges, &mut distances, &mut changed, &(edges.len() as i32)
        );
        if program.stream.clone_dtoh(&changed).unwrap() == [0] {
            break;
        }
    }
    assert_eq!(program.stream.clone_dtoh(&distances).unwrap(), expected);
}

#[test]
fn best() {
    let program = Program::load("graphs/best");
    let x = random(6, 777, |w| (w % 100) as i32 - 90);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut word = program.stream.alloc_zeros::<u64>(1).unwrap();
    launch!(program, "best", 13, 64; &device_x, &mut word, &(x.len() as i32));
    let word = program.stream.clone_dtoh(&word).unwrap()[0];
    let largest = *x.iter().max().unwrap();
    let first = x.iter().position(|&v| v == largest).unwrap();
    assert_eq!(((word >> 32) as u32 ^ 0x8000_0000) as i32, largest);
    assert_eq!(!(word as u32) as usize, first);
}

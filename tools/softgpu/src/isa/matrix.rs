//! PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions", as the whole warp executes them: products, and the moves
//! of matrices between memory and registers. The arithmetic and the layouts stand in `tensor_core`.

use super::access;
use super::chunks::{self, CHUNK};
use super::races;
use super::sync::whole_warp;
use super::tensor_core::{self, layout};
use crate::execute::registers::{lanes, row, wide_row};
use crate::execute::tally::Direction;
use crate::execute::warp::{Flow, Step, Stopped};
use crate::program::{Fragment, NONE, Op, TensorForm, TensorOp};
use crate::ptx::ast::Space;
use crate::races::Does;

/// An `.aligned` operation of the tensor cores: all lanes of the warp, or it waits for the others.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
pub(crate) unsafe fn tensor(step: &mut Step<'_, '_>, op: &Op, mask: u32) -> Result<Flow, Stopped> {
    if !whole_warp(step, mask) {
        return Ok(Flow::Leave);
    }
    let operation = &step.worker.grid.program.tensor_ops[op.extra as usize];
    step.worker.tally.tensor[op.extra as usize] += 1;
    // SAFETY: the caller's.
    unsafe {
        match &operation.form {
            TensorForm::Product(product) => tensor_core::mma(step.regs, operation, product),
            TensorForm::LoadMatrix { matrices, transposed } => {
                ldmatrix(step, operation, usize::from(*matrices), *transposed)?;
            }
            TensorForm::StoreMatrix { matrices, transposed } => {
                stmatrix(step, operation, usize::from(*matrices), *transposed)?;
            }
            TensorForm::MoveMatrix => {
                let rows = tensor_core::gather(row(step.regs, operation.a[0]));
                let dealt = tensor_core::deal(&rows, true);
                put(step.regs, operation.d[0], dealt);
            }
            TensorForm::LoadFragment(fragment) => load_fragment(step, operation, fragment)?,
            TensorForm::StoreFragment(fragment) => store_fragment(step, operation, fragment)?,
        }
    }
    Ok(Flow::Next)
}

/// A register of the whole warp.
///
/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
unsafe fn put(regs: *mut u32, slot: u16, values: [u32; 32]) {
    if slot != NONE {
        // SAFETY: the caller's; `whole_warp` has found all live lanes here, and of the others nobody reads.
        unsafe { *row(regs, slot) = values };
    }
}

/// The lanes that name the rows of so many 8 x 8 matrices: lane 8 i + r has the address of row r of matrix i.
fn naming(matrices: usize) -> u32 {
    (u64::MAX >> (64 - 8 * matrices)) as u32
}

/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
unsafe fn ldmatrix(step: &mut Step<'_, '_>, op: &TensorOp, matrices: usize, transposed: bool) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let addresses = unsafe { access::addresses(step, Space::Shared, op.address, op.offset) };
    let rows = read(step, Space::Shared, &addresses, naming(matrices), CHUNK)?;
    for (rows, &slot) in rows.as_chunks::<8>().0.iter().zip(&op.d) {
        // SAFETY: as above.
        unsafe { put(step.regs, slot, tensor_core::deal(rows, transposed)) };
    }
    Ok(())
}

/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
unsafe fn stmatrix(step: &mut Step<'_, '_>, op: &TensorOp, matrices: usize, transposed: bool) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let addresses = unsafe { access::addresses(step, Space::Shared, op.address, op.offset) };
    let mut rows = [[0; CHUNK]; 32];
    for (rows, &slot) in rows.as_chunks_mut::<8>().0.iter_mut().zip(&op.a) {
        // SAFETY: as above.
        let register = unsafe { row(step.regs, slot) };
        let gathered = tensor_core::gather(register);
        // Dealing a matrix out by columns and taking it in by rows transposes it.
        *rows = if transposed { tensor_core::gather(&tensor_core::deal(&gathered, true)) } else { gathered };
    }
    write(step, Space::Shared, &addresses, naming(matrices), CHUNK, &rows)
}

/// What the lanes of `named` find at their addresses, `bytes` each.
fn read(
    step: &mut Step<'_, '_>,
    space: Space,
    addresses: &[u64; 32],
    named: u32,
    bytes: usize,
) -> Result<[[u8; CHUNK]; 32], Stopped> {
    if space == Space::Shared
        && bytes == CHUNK
        && let Some(rows) = chunks::load_shared(step, addresses, named)
    {
        return Ok(rows);
    }
    let width = bytes as u64;
    let spans = access::by_lane(step, space, "load", addresses, named, width)?;
    access::count_by_lane(step, Direction::Load, &spans, addresses, width);
    for found in races::by_lane(step, Does::READ, &spans, width) {
        races::report(step, "load", width, &found, false);
    }
    let mut rows = [[0; CHUNK]; 32];
    for (lane, span) in spans.iter().enumerate() {
        let Some(span) = span else { continue };
        if !span.written(width) {
            access::report_unwritten(step, "load", span, addresses[lane], width, lane);
        }
        access::check_landed(step, span, width, lane);
        // SAFETY: the span was checked for these bytes.
        unsafe { span.at.copy_to_nonoverlapping(rows[lane].as_mut_ptr(), bytes) };
    }
    Ok(rows)
}

/// Puts `bytes` of each row at the address of its lane.
fn write(
    step: &mut Step<'_, '_>,
    space: Space,
    addresses: &[u64; 32],
    named: u32,
    bytes: usize,
    rows: &[[u8; CHUNK]; 32],
) -> Result<(), Stopped> {
    let width = bytes as u64;
    let spans = access::by_lane(step, space, "store", addresses, named, width)?;
    access::count_by_lane(step, Direction::Store, &spans, addresses, width);
    for found in races::by_lane(step, Does::WRITE, &spans, width) {
        let equal = found.writes_equal_bits(step, &spans, rows, width);
        races::report(step, "store", width, &found, equal);
    }
    step.worker.changes += 1;
    for lane in lanes(named) {
        let Some(span) = &spans[lane] else { continue };
        span.set_written(width);
        // SAFETY: the span was checked for these bytes.
        unsafe { span.at.copy_from_nonoverlapping(rows[lane].as_ptr(), bytes) };
    }
    Ok(())
}

/// A matrix that lies in memory by lines: rows, or columns. The warp reads and writes it by pieces of 16 bytes, or of a
/// line where that is shorter, one to a lane.
struct Lines {
    first: u64,
    /// From one line to the next, in bytes.
    stride: u64,
    count: usize,
    bytes: usize,
}

impl Lines {
    /// # Safety
    /// As for [`LaneFn`](crate::program::LaneFn).
    unsafe fn of(step: &Step<'_, '_>, op: &TensorOp, fragment: &Fragment) -> Self {
        let lane = step.warp.live.trailing_zeros() as usize & 31;
        // SAFETY: the caller's, here and below.
        let first = unsafe { access::addresses(step, op.space, op.address, op.offset) }[lane];
        let lines = (fragment.columns, fragment.rows);
        let (count, length) = if fragment.by_columns { lines } else { (lines.1, lines.0) };
        let bytes = length * fragment.element.bits() / 8;
        let stride = match op.stride {
            // SAFETY: as above.
            Some(slot) => u64::from(unsafe { row(step.regs, slot) }[lane]) * fragment.stride_bits / 8,
            None => bytes as u64,
        };
        Self { first, stride, count, bytes }
    }

    fn piece(&self) -> usize {
        self.bytes.min(CHUNK)
    }

    /// The pieces that the lanes access at one time: line, byte within it, and address.
    fn rounds(&self) -> impl Iterator<Item = ([u64; 32], Vec<(usize, usize)>)> {
        let each = self.bytes / self.piece();
        (0..self.count * each).step_by(32).map(move |first| {
            let mut addresses = [0; 32];
            let pieces: Vec<_> =
                (first..self.count * each).take(32).map(|index| (index / each, index % each * self.piece())).collect();
            for (address, (line, byte)) in addresses.iter_mut().zip(&pieces) {
                *address = self.first.wrapping_add(*line as u64 * self.stride + *byte as u64);
            }
            (addresses, pieces)
        })
    }
}

fn first_lanes(count: usize) -> u32 {
    (u64::MAX >> (64 - count)) as u32
}

/// The most bytes that a fragment's matrix has: 16 x 16 of f32, 32 x 16 of f16.
const MOST_BYTES: usize = 1024;

/// The elements of a lane's register in turn: their place in the matrix as it lies in memory without gaps, in bits, and
/// their place in the register.
fn elements(fragment: &Fragment, register: usize, lane: usize) -> impl Iterator<Item = (usize, usize)> {
    let (bits, e) = (fragment.element.bits(), fragment.element.per_register());
    (0..e).map(move |h| {
        let (row, column) = layout::wmma(fragment.rows, fragment.columns, lane, register * e + h);
        let index = if fragment.by_columns { column * fragment.rows + row } else { row * fragment.columns + column };
        (index * bits, h * bits)
    })
}

/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
unsafe fn load_fragment(step: &mut Step<'_, '_>, op: &TensorOp, fragment: &Fragment) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let lines = unsafe { Lines::of(step, op, fragment) };
    let mut matrix = [0; MOST_BYTES];
    for (addresses, pieces) in lines.rounds() {
        let rows = read(step, op.space, &addresses, first_lanes(pieces.len()), lines.piece())?;
        for ((line, byte), row) in pieces.into_iter().zip(&rows) {
            matrix[line * lines.bytes + byte..][..lines.piece()].copy_from_slice(&row[..lines.piece()]);
        }
    }
    let bits = fragment.element.bits();
    for (register, &slot) in op.d.iter().enumerate().filter(|(_, slot)| **slot != NONE) {
        let values: [u64; 32] = std::array::from_fn(|lane| {
            elements(fragment, register, lane).fold(0, |value, (at, place)| {
                let mut word = [0; 8];
                let bytes = bits.div_ceil(8);
                word[..bytes].copy_from_slice(&matrix[at / 8..][..bytes]);
                let element = u64::from_le_bytes(word) >> (at % 8) & (u64::MAX >> (64 - bits));
                value | element << place
            })
        });
        // SAFETY: as above; as for `put`.
        unsafe {
            if bits == 64 {
                *wide_row(step.regs, slot) = values;
            } else {
                *row(step.regs, slot) = values.map(|value| value as u32);
            }
        }
    }
    Ok(())
}

/// # Safety
/// As for [`LaneFn`](crate::program::LaneFn).
unsafe fn store_fragment(step: &mut Step<'_, '_>, op: &TensorOp, fragment: &Fragment) -> Result<(), Stopped> {
    // SAFETY: the caller's, here and below.
    let lines = unsafe { Lines::of(step, op, fragment) };
    let mut matrix = [0; MOST_BYTES];
    // What is stored are sums, of 16 bits or more.
    let bytes = fragment.element.bits() / 8;
    for (register, &slot) in op.a.iter().enumerate() {
        // SAFETY: as above.
        let values =
            unsafe { if bytes == 8 { *wide_row(step.regs, slot) } else { row(step.regs, slot).map(u64::from) } };
        for (lane, value) in values.into_iter().enumerate() {
            for (at, place) in elements(fragment, register, lane) {
                matrix[at / 8..][..bytes].copy_from_slice(&(value >> place).to_le_bytes()[..bytes]);
            }
        }
    }
    for (addresses, pieces) in lines.rounds() {
        let mut rows = [[0; CHUNK]; 32];
        let named = first_lanes(pieces.len());
        for ((line, byte), row) in pieces.into_iter().zip(&mut rows) {
            row[..lines.piece()].copy_from_slice(&matrix[line * lines.bytes + byte..][..lines.piece()]);
        }
        write(step, op.space, &addresses, named, lines.piece(), &rows)?;
    }
    Ok(())
}

//! Accesses of 16 bytes to a lane, as ldmatrix and cp.async make many of: looked at as a warp, where all of it is in order.
//! Where it is not, nothing is done yet, and the way lane by lane finds and says what is wrong.

use super::{access, races};
use crate::execute::registers::lanes;
use crate::execute::tally::Direction;
use crate::execute::warp::Step;

/// Bytes of a lane's widest access, and of a row of a matrix of 8 x 8 16-bit elements.
pub(super) const CHUNK: usize = 16;

/// Whether each lane's chunk is aligned and lies in the first `bytes`.
fn lie_within(addresses: &[u64; 32], mask: u32, bytes: u64) -> bool {
    let Some(last) = bytes.checked_sub(CHUNK as u64) else { return false };
    lanes(mask).all(|lane| addresses[lane] <= last && addresses[lane].is_multiple_of(CHUNK as u64))
}

/// What the lanes load from shared memory.
pub(super) fn load_shared(step: &mut Step<'_, '_>, addresses: &[u64; 32], mask: u32) -> Option<[[u8; CHUNK]; 32]> {
    let block = &*step.block;
    if !lie_within(addresses, mask, block.shared.bytes() as u64) {
        return None;
    }
    let landed = |offset| block.copies == 0 || block.in_flight.sixteen(offset) == 0;
    let mut chunks = [[0; CHUNK]; 32];
    let mut offsets = [None; 32];
    for lane in lanes(mask) {
        let offset = addresses[lane] as usize;
        if !(block.shared.written.sixteen(offset) == u16::MAX && landed(offset)) {
            return None;
        }
        // SAFETY: the chunk lies within shared memory.
        chunks[lane] = unsafe { block.shared.data().add(offset).cast::<[u8; CHUNK]>().read_unaligned() };
        offsets[lane] = Some(addresses[lane]);
    }
    if !races::chunks_loaded(step, addresses, mask) {
        return None;
    }
    let (wavefronts, parts) = access::wavefronts(&offsets, CHUNK as u64);
    step.worker.tally.shared(wavefronts, parts);
    Some(chunks)
}

/// Copies each lane's chunk from global to shared memory; false where that is not done.
pub(super) fn copy_to_shared(step: &mut Step<'_, '_>, to: &[u64; 32], from: &[u64; 32], mask: u32) -> bool {
    if mask == 0 || !lie_within(to, mask, step.block.shared.bytes() as u64) {
        return false;
    }
    let Some(index) = access::region(step, from[mask.trailing_zeros() as usize]) else { return false };
    let region = &step.worker.grid.view.regions[index];
    let mut offsets = [0; 32];
    for lane in lanes(mask) {
        offsets[lane] = from[lane].wrapping_sub(region.base);
    }
    let written = |offset: u64| region.store.written.sixteen(offset as usize) == u16::MAX;
    if !lie_within(&offsets, mask, region.bytes)
        || !lanes(mask).all(|lane| from[lane].is_multiple_of(CHUNK as u64) && written(offsets[lane]))
    {
        return false;
    }
    if !races::chunks_copied(step, to, (index, &offsets), mask) {
        return false;
    }
    let mut targets = [None; 32];
    let mut sectors = access::Sectors::default();
    for lane in lanes(mask) {
        targets[lane] = Some(to[lane]);
        region.load_touches(offsets[lane], CHUNK as u64);
        sectors.meet(from[lane]);
        let at = to[lane] as usize;
        // SAFETY: both chunks lie within their memories, and shared memory is no allocation's.
        unsafe {
            let chunk = region.store.data().add(offsets[lane] as usize).cast::<[u8; CHUNK]>().read_unaligned();
            step.block.shared.data().add(at).cast::<[u8; CHUNK]>().write_unaligned(chunk);
        }
        step.block.shared.written.set(at, CHUNK);
    }
    let (wavefronts, parts) = access::wavefronts(&targets, CHUNK as u64);
    let tally = &mut step.worker.tally;
    tally.global(Direction::Load, sectors.count(), u64::from(mask.count_ones()), CHUNK as u64);
    tally.shared(wavefronts, parts);
    true
}

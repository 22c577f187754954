//! Pools: accounts of stream-ordered memory. A device has one by default; all of them draw on the contexts' memory.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device;
use super::entry::initialised;
use super::error::{
    Answer, CUDA_ERROR_INVALID_DEVICE, CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY,
    CUresult,
};
use super::handle::{Handle, Registered, Registry};
use super::host_memory::CUmemLocation;
use super::memory::allocate;
use super::stream::Stream;
use super::types::{CUdevice, CUdeviceptr, Out, listed};

/// What `CUmemoryPool` stands for.
#[derive(Debug)]
pub struct Pool {
    handle: Handle<Pool>,
    device: CUdevice,
    is_default: bool,
    account: Mutex<Account>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// 0 for no limit.
    most: u64,
    used: u64,
    used_high: u64,
    /// Kept for later allocations, used or not.
    reserved: u64,
    reserved_high: u64,
    /// How much is kept at least.
    threshold: u64,
    /// What may be reused: of no account here.
    reuse: [c_int; 3],
}

impl Registered for Pool {
    const INVALID: CUresult = CUDA_ERROR_INVALID_VALUE;

    fn registry() -> &'static Registry<Self> {
        static REGISTRY: Registry<Pool> = Registry::new();
        &REGISTRY
    }
}

impl Pool {
    fn create(device: CUdevice, most: u64, is_default: bool) -> Handle<Self> {
        let account = Account { most, reuse: [1; 3], ..Account::default() };
        Self::registry().insert(|handle| Self { handle, device, is_default, account: Mutex::new(account) })
    }

    pub(crate) fn handle(&self) -> Handle<Self> {
        self.handle
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: u64) -> Answer {
        let mut account = self.account();
        let used = account.used.saturating_add(bytes);
        if account.most != 0 && used > account.most {
            return Err(CUDA_ERROR_OUT_OF_MEMORY);
        }
        account.used = used;
        account.used_high = account.used_high.max(used);
        account.reserved = account.reserved.max(used);
        account.reserved_high = account.reserved_high.max(account.reserved);
        Ok(())
    }

    /// Gives bytes back; what is reserved beyond the threshold goes at once.
    pub(crate) fn give_back(&self, bytes: u64) {
        let mut account = self.account();
        account.used -= bytes;
        account.reserved = account.used.max(account.reserved.min(account.threshold));
    }
}

/// The pools of each device: the default one, made when somebody asks, and the one that cuMemAllocAsync takes from.
fn of_device(device: CUdevice) -> Answer<[Handle<Pool>; 2]> {
    device::check(device)?;
    change(device, |pools| *pools)
}

fn change<T>(device: CUdevice, change: impl FnOnce(&mut [Handle<Pool>; 2]) -> T) -> Answer<T> {
    static POOLS: Mutex<Vec<[Handle<Pool>; 2]>> = Mutex::new(Vec::new());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    while pools.len() < device::count() {
        let pool = Pool::create(pools.len() as CUdevice, 0, true);
        pools.push([pool; 2]);
    }
    pools.get_mut(device as usize).map(change).ok_or(CUDA_ERROR_INVALID_DEVICE)
}

/// Memory of a pool, in a stream.
fn allocate_in(
    address: Out<CUdeviceptr>,
    bytes: usize,
    pool: impl FnOnce(CUdevice) -> Answer<Handle<Pool>>,
    stream: Handle<Stream>,
) -> Answer {
    let (stream, context) = stream.for_work()?;
    stream.permit_uncaptured()?;
    let pool: Arc<Pool> = pool(context.device)?.get()?;
    if pool.device != context.device {
        return Err(CUDA_ERROR_INVALID_VALUE);
    }
    pool.take(bytes as u64)?;
    let made = allocate(&context, address, bytes, Some(&pool));
    if made.is_err() {
        pool.give_back(bytes as u64);
    }
    made
}

/// How a pool is made.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUmemPoolProps {
    /// Pinned (1) is all there is.
    pub allocation_type: c_uint,
    /// For sharing between processes: none (0).
    pub handle_types: c_uint,
    /// Where.
    pub location: CUmemLocation,
    /// Of another system.
    pub security: *mut c_void,
    /// Bytes at most, 0 for no limit.
    pub most_bytes: usize,
    /// What it is for: nothing in particular.
    pub usage: u16,
    reserved: [u8; 54],
}

/// Who may reach a pool's memory.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CUmemAccessDesc {
    /// A device.
    pub location: CUmemLocation,
    /// Nothing (0), or read and write (3).
    pub flags: c_uint,
}

const ALLOCATION_PINNED: c_uint = 1;
const READ_WRITE: c_uint = 3;

api! {
    /// As cuMemAlloc, in the stream's context, from its device's pool.
    fn cuMemAllocAsync(address: Out<CUdeviceptr>, bytes: usize, stream: Handle<Stream>) {
        allocate_in(address, bytes, |device| Ok(of_device(device)?[1]), stream)
    }

    /// As [`cuMemAllocAsync`], from a pool.
    fn cuMemAllocFromPoolAsync(address: Out<CUdeviceptr>, bytes: usize, pool: Handle<Pool>, stream: Handle<Stream>) {
        allocate_in(address, bytes, |_| Ok(pool), stream)
    }

    /// The pool that a device has from the start.
    fn cuDeviceGetDefaultMemPool(pool: Out<Handle<Pool>>, device: CUdevice) {
        pool.set(of_device(device)?[0])
    }

    /// The pool that cuMemAllocAsync takes from.
    fn cuDeviceGetMemPool(pool: Out<Handle<Pool>>, device: CUdevice) {
        pool.set(of_device(device)?[1])
    }

    /// Chooses the pool that cuMemAllocAsync takes from, one of the device's.
    fn cuDeviceSetMemPool(device: CUdevice, pool: Handle<Pool>) {
        device::check(device)?;
        if pool.get()?.device != device {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        change(device, |pools| pools[1] = pool)
    }

    /// Makes a pool.
    fn cuMemPoolCreate(pool: Out<Handle<Pool>>, props: *const CUmemPoolProps) {
        initialised()?;
        pool.check()?;
        // SAFETY: null, or the caller's struct, as the function's safety section demands.
        let props = unsafe { props.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        if props.allocation_type != ALLOCATION_PINNED {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        if props.handle_types != 0 || props.usage != 0 {
            return Err(CUDA_ERROR_NOT_SUPPORTED);
        }
        pool.set(Pool::create(props.location.device()?, props.most_bytes as u64, false))
    }

    /// Ends a pool; what was taken from it stays until it is freed. A device's own stays.
    fn cuMemPoolDestroy(pool: Handle<Pool>) {
        initialised()?;
        let found = pool.get()?;
        if found.is_default {
            return Err(CUDA_ERROR_INVALID_VALUE);
        }
        Pool::registry().remove(pool);
        change(found.device, |pools| {
            if pools[1] == pool {
                pools[1] = pools[0];
            }
        })
    }

    /// Gives back what is reserved and not used, but for `keep` bytes.
    fn cuMemPoolTrimTo(pool: Handle<Pool>, keep: usize) {
        initialised()?;
        let pool = pool.get()?;
        let mut account = pool.account();
        account.reserved = account.used.max(account.reserved.min(keep as u64));
        Ok(())
    }

    /// An attribute by its number in cuda.h: an int up to 3, a count of bytes beyond.
    fn cuMemPoolGetAttribute(pool: Handle<Pool>, number: c_uint, value: *mut c_void) {
        initialised()?;
        let account = *pool.get()?.account();
        match number {
            1..=3 => Out::at(value).set(account.reuse[number as usize - 1]),
            4 => Out::at(value).set(account.threshold),
            5 => Out::at(value).set(account.reserved),
            6 => Out::at(value).set(account.reserved_high),
            7 => Out::at(value).set(account.used),
            8 => Out::at(value).set(account.used_high),
            _ => Err(CUDA_ERROR_INVALID_VALUE),
        }
    }

    /// Sets an attribute; of what was the most, only that it begins again (0).
    fn cuMemPoolSetAttribute(pool: Handle<Pool>, number: c_uint, value: *mut c_void) {
        initialised()?;
        let pool = pool.get()?;
        let mut account = pool.account();
        match number {
            1..=3 => account.reuse[number as usize - 1] = Out::at(value).get()?,
            4 => account.threshold = Out::at(value).get()?,
            6 if Out::<u64>::at(value).get()? == 0 => account.reserved_high = account.reserved,
            8 if Out::<u64>::at(value).get()? == 0 => account.used_high = account.used,
            _ => return Err(CUDA_ERROR_INVALID_VALUE),
        }
        Ok(())
    }

    /// Says which devices reach a pool's memory: its own does, and always.
    fn cuMemPoolSetAccess(pool: Handle<Pool>, access: *const CUmemAccessDesc, count: usize) {
        initialised()?;
        let pool = pool.get()?;
        // SAFETY: the function's safety section.
        for access in unsafe { listed(access, count)? } {
            match (access.location.device()? == pool.device, access.flags) {
                (true, READ_WRITE) | (false, 0) => {}
                (false, READ_WRITE) => return Err(CUDA_ERROR_NOT_SUPPORTED),
                _ => return Err(CUDA_ERROR_INVALID_VALUE),
            }
        }
        Ok(())
    }

    /// Whether a device reaches a pool's memory.
    fn cuMemPoolGetAccess(flags: Out<c_uint>, pool: Handle<Pool>, location: *const CUmemLocation) {
        initialised()?;
        let pool = pool.get()?;
        // SAFETY: null, or the caller's struct, as the function's safety section demands.
        let location = unsafe { location.as_ref() }.ok_or(CUDA_ERROR_INVALID_VALUE)?;
        let own = location.device()? == pool.device;
        flags.set(if own { READ_WRITE } else { 0 })
    }
}

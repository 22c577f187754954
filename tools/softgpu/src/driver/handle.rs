//! Handles: numbers that are looked up, never addresses.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::error::{Answer, CUresult};

/// What a program holds of a `T`: `CUcontext`, `CUstream` and their kind, a pointer to it as to C.
#[repr(transparent)]
pub struct Handle<T>(pub(crate) usize, PhantomData<fn() -> T>);

impl<T> Handle<T> {
    pub(crate) const NULL: Self = Self(0, PhantomData);

    /// A handle that the driver gives a meaning of its own.
    pub(crate) const fn of(number: usize) -> Self {
        Self(number, PhantomData)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == 0
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Handle<T> {}

impl<T> std::fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// What has handles.
pub(crate) trait Registered: Sized + 'static {
    /// What a function answers to a handle that is none.
    const INVALID: CUresult;

    fn registry() -> &'static Registry<Self>;
}

#[allow(private_bounds, reason = "handles are looked up by this crate alone")]
impl<T: Registered> Handle<T> {
    /// What the handle stands for.
    pub(crate) fn get(self) -> Answer<Arc<T>> {
        T::registry().get(self).ok_or(T::INVALID)
    }
}

/// The live objects of a kind.
#[derive(Debug)]
pub(crate) struct Registry<T>(RwLock<BTreeMap<usize, Arc<T>>>);

/// Counts through all kinds, so that a handle of one is none of another, and none is used twice. The numbers are spaced as
/// the addresses would be that programs take them for, and lie below every mapping of the process.
static NEXT: AtomicUsize = AtomicUsize::new(0x1000);
const SPACING: usize = 16;

impl<T> Registry<T> {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// Makes an object that knows its handle.
    pub(crate) fn insert(&self, make: impl FnOnce(Handle<T>) -> T) -> Handle<T> {
        let handle = Handle(NEXT.fetch_add(SPACING, Ordering::Relaxed), PhantomData);
        let object = Arc::new(make(handle));
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(handle.0, object);
        handle
    }

    pub(crate) fn get(&self, handle: Handle<T>) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&handle.0).cloned()
    }

    /// Of two threads that remove the same object, one gets it.
    pub(crate) fn remove(&self, handle: Handle<T>) -> Option<Arc<T>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.0)
    }

    /// What the function gives of the objects, by their age.
    pub(crate) fn collect<U>(&self, of: impl Fn(&T) -> Option<U>) -> Vec<U> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().filter_map(|object| of(object)).collect()
    }

    /// The objects that the predicate names.
    pub(crate) fn all(&self, which: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        let objects = self.0.read().unwrap_or_else(PoisonError::into_inner);
        objects.values().filter(|object| which(object)).cloned().collect()
    }

    /// Removes what the predicate names.
    pub(crate) fn remove_all(&self, gone: impl Fn(&T) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, object| !gone(object));
    }
}

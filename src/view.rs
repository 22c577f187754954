//! Tensors in device memory that cudarc's slices own, borrowed by safe code.

use cudarc::driver::{CudaContext, CudaSlice, CudaStream, CudaView, CudaViewMut, DeviceSlice, SyncOnDrop};
use half::{bf16, f16};

use crate::device::DevicePtr;
use crate::{Device, Dtype, Error, Result};

/// The Rust type of a dtype's elements.
pub trait Element: sealed::Element {
    /// The dtype.
    const DTYPE: Dtype;
}

mod sealed {
    use cudarc::driver::{CudaView, CudaViewMut};

    pub trait Element: Sized {
        fn read(view: CudaView<'_, Self>) -> super::Read<'_>;
        fn write(view: CudaViewMut<'_, Self>) -> super::Write<'_>;
    }
}

/// What the elements are read from.
#[derive(Debug)]
#[doc(hidden)]
pub enum Read<'a> {
    F32(CudaView<'a, f32>),
    F16(CudaView<'a, f16>),
    Bf16(CudaView<'a, bf16>),
    I64(CudaView<'a, i64>),
    U32(CudaView<'a, u32>),
    U8(CudaView<'a, u8>),
}

/// What the elements are written to.
#[derive(Debug)]
#[doc(hidden)]
pub enum Write<'a> {
    F32(CudaViewMut<'a, f32>),
    F16(CudaViewMut<'a, f16>),
    Bf16(CudaViewMut<'a, bf16>),
    I64(CudaViewMut<'a, i64>),
    U32(CudaViewMut<'a, u32>),
    U8(CudaViewMut<'a, u8>),
}

macro_rules! elements {
    ($($element:ty, $variant:ident;)*) => {
        $(
            impl sealed::Element for $element {
                fn read(view: CudaView<'_, Self>) -> Read<'_> {
                    Read::$variant(view)
                }

                fn write(view: CudaViewMut<'_, Self>) -> Write<'_> {
                    Write::$variant(view)
                }
            }

            impl Element for $element {
                const DTYPE: Dtype = Dtype::$variant;
            }
        )*

        impl<'a> Read<'a> {
            fn context(&self) -> &CudaContext {
                match self { $(Self::$variant(view) => view.stream().context()),* }
            }

            fn len(&self) -> usize {
                match self { $(Self::$variant(view) => view.len()),* }
            }

            fn pointer(self, stream: &'a CudaStream) -> (u64, SyncOnDrop<'a>) {
                match self { $(Self::$variant(view) => view.view_ptr(stream)),* }
            }
        }

        impl<'a> Write<'a> {
            fn context(&self) -> &CudaContext {
                match self { $(Self::$variant(view) => view.stream().context()),* }
            }

            fn len(&self) -> usize {
                match self { $(Self::$variant(view) => view.len()),* }
            }

            fn pointer(self, stream: &'a CudaStream) -> (u64, SyncOnDrop<'a>) {
                match self { $(Self::$variant(view) => view.view_ptr_mut(stream)),* }
            }
        }
    };
}

elements! {
    f32, F32;
    f16, F16;
    bf16, Bf16;
    i64, I64;
    u32, U32;
    u8, U8;
}

/// A tensor that an operation reads: a dtype, a shape, and elements that live as long as the view.
#[derive(Debug)]
pub struct View<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    elements: Read<'a>,
}

/// A tensor that an operation writes.
#[derive(Debug)]
pub struct ViewMut<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    elements: Write<'a>,
}

/// What a run needs of an operation's tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) operation: &'static str,
    pub(crate) tensor: &'static str,
    pub(crate) dtype: Dtype,
    pub(crate) shape: &'a [usize],
    pub(crate) device: &'a Device,
}

impl Expected<'_> {
    fn check(&self, dtype: Dtype, shape: &[usize], elements: usize, context: &CudaContext) -> Result<()> {
        let Self { operation, tensor, .. } = *self;
        if dtype != self.dtype {
            return Err(Error::Dtype { operation, tensor, came: dtype, expected: self.dtype.to_string() });
        }
        if shape != self.shape {
            let (came, expected) = (shape.to_vec(), self.shape.to_vec());
            return Err(Error::Shape { operation, tensor, came, expected });
        }
        crate::check::length(operation, tensor, elements, self.shape.iter().product())?;
        let (came, expected) = (context.cu_ctx().addr(), self.device.context());
        if came == expected { Ok(()) } else { Err(Error::WrongContext { operation, what: tensor, came, expected }) }
    }
}

impl<'a> View<'a> {
    /// A whole slice, row-major in this shape; `[]` is a scalar. That it has as many elements is checked by the run.
    pub fn new<T: Element>(slice: &'a CudaSlice<T>, shape: impl Into<Vec<usize>>) -> Self {
        Self::part(slice.as_view(), shape)
    }

    /// A part of a slice, as `new`.
    pub fn part<T: Element>(view: CudaView<'a, T>, shape: impl Into<Vec<usize>>) -> Self {
        Self { dtype: T::DTYPE, shape: shape.into(), elements: T::read(view) }
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn check(&self, expected: Expected<'_>) -> Result<()> {
        expected.check(self.dtype, &self.shape, self.elements.len(), self.elements.context())
    }

    pub(crate) fn check_optional(view: Option<&Self>, expected: Expected<'_>) -> Result<()> {
        view.map_or(Ok(()), |view| view.check(expected))
    }

    /// The address, which what is put on `stream` may read: `stream` waits for what writes it. The guard goes when the
    /// reading is on the stream.
    pub(crate) fn pointer(self, stream: &'a CudaStream) -> (DevicePtr, SyncOnDrop<'a>) {
        let (pointer, guard) = self.elements.pointer(stream);
        (DevicePtr(pointer), guard)
    }
}

impl<'a> ViewMut<'a> {
    /// A whole slice, row-major in this shape; `[]` is a scalar. That it has as many elements is checked by the run.
    pub fn new<T: Element>(slice: &'a mut CudaSlice<T>, shape: impl Into<Vec<usize>>) -> Self {
        Self::part(slice.as_view_mut(), shape)
    }

    /// A part of a slice, as `new`.
    pub fn part<T: Element>(view: CudaViewMut<'a, T>, shape: impl Into<Vec<usize>>) -> Self {
        Self { dtype: T::DTYPE, shape: shape.into(), elements: T::write(view) }
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn check(&self, expected: Expected<'_>) -> Result<()> {
        expected.check(self.dtype, &self.shape, self.elements.len(), self.elements.context())
    }

    pub(crate) fn check_optional(view: Option<&Self>, expected: Expected<'_>) -> Result<()> {
        view.map_or(Ok(()), |view| view.check(expected))
    }

    /// The address, which what is put on `stream` may write: `stream` waits for what reads or writes it. The guard goes
    /// when the writing is on the stream.
    pub(crate) fn pointer(self, stream: &'a CudaStream) -> (DevicePtr, SyncOnDrop<'a>) {
        let (pointer, guard) = self.elements.pointer(stream);
        (DevicePtr(pointer), guard)
    }
}

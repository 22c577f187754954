//! How a handle divides its workspace.

use crate::DevicePtr;

/// A part of a workspace: where it begins, or nothing for a part that the handle does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part(Option<u64>);

impl Part {
    /// Its address in the workspace at `base`; null without the part.
    pub(crate) fn at(self, base: DevicePtr) -> DevicePtr {
        self.0.map_or(DevicePtr::NULL, |offset| base.add(offset))
    }
}

/// Parts one after the other, each at a multiple of 256 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layout {
    bytes: usize,
}

impl Layout {
    /// Bytes of all parts.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// A part of so many bytes; none where that is nothing.
    pub(crate) fn part(&mut self, bytes: usize) -> Part {
        let offset = self.bytes as u64;
        self.bytes += bytes.next_multiple_of(256);
        Part((bytes > 0).then_some(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_begin_at_multiples_of_256() {
        let mut layout = Layout::default();
        let parts = [12, 0, 256, 1].map(|bytes| layout.part(bytes).at(DevicePtr(4096)).0);
        assert_eq!(parts, [4096, 0, 4352, 4608]);
        assert_eq!(layout.bytes(), 768);
    }
}

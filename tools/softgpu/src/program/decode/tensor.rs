//! The operations of the tensor cores.

use super::builder::Builder;
use crate::inspect::Class;
use crate::isa::forms::Matched;
use crate::isa::tensor_core;
use crate::numerics::Rounding;
use crate::program::{
    Address, Bitwise, Element, Fragment, Kind, Layout, NONE, Places, Product, Shape, Side, TensorForm, TensorOp,
};
use crate::ptx::PtxError;
use crate::ptx::ast::{Operand, Space};

/// The elements that an opcode names, in its order.
fn elements(form: &Matched) -> Vec<Element> {
    form.words().filter_map(Element::named).collect()
}

/// Whether each layout that an opcode names is by columns.
fn by_columns(form: &Matched) -> Vec<bool> {
    form.words().filter(|word| matches!(*word, "row" | "col")).map(|word| word == "col").collect()
}

/// Registers of a lane for a matrix of so many elements, which fills the warp.
fn registers(elements: usize, of: Element) -> usize {
    elements.div_ceil(32 * of.per_register())
}

/// What wmma has of registers for f16 operands, whatever their shape.
const WMMA_F16_REGISTERS: usize = 8;

impl Builder<'_> {
    /// mma.sync and wmma.mma.
    pub(super) fn product(&mut self, form: &Matched, wmma: bool) -> Result<(), PtxError> {
        let unknown = || self.error("a product of unknown shape or type");
        let shape = form.words().find_map(Shape::parse).ok_or_else(unknown)?;
        let [d, a, b, c] = match elements(form)[..] {
            [d, a, b, c] => [d, a, b, c],
            [d, c] => [d, Element::F16, Element::F16, c],
            _ => return Err(unknown()),
        };
        let layout = match by_columns(form)[..] {
            _ if wmma => Layout::Wmma,
            [a_by_columns, b_by_columns] if shape.m * shape.k == 32 && a == Element::F16 => {
                Layout::Quarters { a_by_columns, b_by_columns }
            }
            _ => Layout::Mma,
        };
        let bitwise = match (form.has("xor"), form.has("and")) {
            (true, _) => Some(Bitwise::Xor),
            (_, true) => Some(Bitwise::And),
            _ => None,
        };
        let rounding = match form.words().find(|word| matches!(*word, "rz" | "rm" | "rp")) {
            Some("rz") => Rounding::Zero,
            Some("rm") => Rounding::Down,
            Some("rp") => Rounding::Up,
            _ => Rounding::Nearest,
        };
        let saturates = form.has("satfinite");
        let sums = self.of.modes.sums(a);
        let product = Product { shape, layout, a, b, c, d, saturates, bitwise, rounding, sums };
        // The four products of a quarter of the warp each have as many elements as four.
        let copies = if matches!(layout, Layout::Quarters { .. }) { 4 } else { 1 };
        let of_operand = |side, element| match layout {
            Layout::Wmma if element == Element::F16 => WMMA_F16_REGISTERS,
            _ => {
                let (rows, columns) = product.matrix(side);
                let words = if element == Element::B1 { Element::S32 } else { element };
                registers(copies * rows * columns, words)
            }
        };
        let (rows, columns) = product.matrix(Side::C);
        let of_sum = |element| registers(copies * rows * columns, element);
        let counts = [of_sum(d), of_operand(Side::A, a), of_operand(Side::B, b), of_sum(c)];
        let operands = self.expect_operands(4..=4)?;
        let mut op = Self::tensor_op(TensorForm::Product(product.clone()));
        op.places = Places {
            a: tensor_core::places(&product, Side::A, a, counts[1]),
            b: tensor_core::places(&product, Side::B, b, counts[2]),
            c: tensor_core::places(&product, Side::C, c, counts[3]),
            d: tensor_core::places(&product, Side::C, d, counts[0]),
        };
        op.a = self.sources(&operands[1], counts[1], a)?;
        op.b = self.sources(&operands[2], counts[2], b)?;
        op.c = self.sources(&operands[3], counts[3], c)?;
        op.d = self.results_of_fragment(&operands[0], counts[0], d)?;
        self.push_tensor(op);
        Ok(())
    }

    /// ldmatrix, stmatrix: so many matrices of 8 x 8.
    pub(super) fn matrix_access(&mut self, form: &Matched, stores: bool) -> Result<(), PtxError> {
        let matrices = match form.words().find(|word| matches!(*word, "x1" | "x2" | "x4")) {
            Some("x4") => 4,
            Some("x2") => 2,
            _ => 1,
        };
        let transposed = form.has("trans");
        let operands = self.expect_operands(2..=2)?;
        let (registers, address) = if stores { (&operands[1], &operands[0]) } else { (&operands[0], &operands[1]) };
        let mut op = Self::tensor_op(if stores {
            TensorForm::StoreMatrix { matrices, transposed }
        } else {
            TensorForm::LoadMatrix { matrices, transposed }
        });
        (op.space, op.address, op.offset) = self.address(address, Space::Shared)?;
        if stores {
            op.a = self.sources(registers, usize::from(matrices), Element::F16)?;
        } else {
            op.d = self.results_of_fragment(registers, usize::from(matrices), Element::F16)?;
        }
        self.push_tensor(op);
        Ok(())
    }

    /// movmatrix.
    pub(super) fn move_matrix(&mut self) -> Result<(), PtxError> {
        let operands = self.expect_operands(2..=2)?;
        let mut op = Self::tensor_op(TensorForm::MoveMatrix);
        op.a = self.sources(&operands[1], 1, Element::F16)?;
        op.d = self.results_of_fragment(&operands[0], 1, Element::F16)?;
        self.push_tensor(op);
        Ok(())
    }

    /// wmma.load, wmma.store: the registers of a fragment, an address and maybe the distance from line to line.
    pub(super) fn fragment_access(&mut self, form: &Matched, stores: bool) -> Result<(), PtxError> {
        let unknown = || self.error("a fragment of unknown shape or type");
        let Shape { m, n, k } = form.words().find_map(Shape::parse).ok_or_else(unknown)?;
        let (&[element], &[by_columns]) = (&elements(form)[..], &by_columns(form)[..]) else { return Err(unknown()) };
        let is_operand = form.has("a") || form.has("b");
        let (mut rows, mut columns) = if form.has("a") {
            (m, k)
        } else if form.has("b") {
            (k, n)
        } else {
            (m, n)
        };
        let count =
            if is_operand && element == Element::F16 { WMMA_F16_REGISTERS } else { registers(rows * columns, element) };
        let stride_bits = element.bits() as u64;
        let mut of = element;
        if element == Element::B1 {
            // By words, which lie along k.
            of = Element::S32;
            let along = if form.has("a") { &mut columns } else { &mut rows };
            *along /= 32;
        }
        let fragment = Fragment { rows, columns, element: of, by_columns, stride_bits };
        let operands = self.expect_operands(2..=3)?;
        let (registers, address) = if stores { (&operands[1], &operands[0]) } else { (&operands[0], &operands[1]) };
        let mut op = Self::tensor_op(if stores {
            TensorForm::StoreFragment(fragment)
        } else {
            TensorForm::LoadFragment(fragment)
        });
        let space = match form.of("SPACE") {
            Some("global") => Space::Global,
            Some(_) => Space::Shared,
            None => Space::Generic,
        };
        (op.space, op.address, op.offset) = self.address(address, space)?;
        if let Some(stride) = operands.get(2) {
            op.stride = Some(self.source(stride, 4)?);
        }
        if stores {
            op.a = self.sources(registers, count, element)?;
        } else {
            op.d = self.results_of_fragment(registers, count, element)?;
        }
        self.push_tensor(op);
        Ok(())
    }

    fn tensor_op(form: TensorForm) -> TensorOp {
        TensorOp {
            form,
            d: Vec::new(),
            a: Vec::new(),
            b: Vec::new(),
            c: Vec::new(),
            space: Space::Shared,
            address: Address::Constant,
            offset: 0,
            places: Places::default(),
            stride: None,
        }
    }

    fn push_tensor(&mut self, op: TensorOp) {
        let extra = self.entry(|program| &mut program.tensor_ops, op);
        self.op(Kind::Tensor, Class::Tensor, [NONE; 2], [NONE; 4], extra);
    }

    fn sources(&mut self, operand: &Operand, count: usize, of: Element) -> Result<Vec<u16>, PtxError> {
        let bytes = if of == Element::F64 { 8 } else { 4 };
        self.fragment(operand, count)?.iter().map(|element| self.source(element, bytes)).collect()
    }

    fn results_of_fragment(&mut self, operand: &Operand, count: usize, of: Element) -> Result<Vec<u16>, PtxError> {
        let bytes = if of == Element::F64 { 8 } else { 4 };
        self.fragment(operand, count)?.iter().map(|element| self.result(element, bytes)).collect()
    }

    /// The registers of a matrix fragment.
    fn fragment<'o>(&self, operand: &'o Operand, count: usize) -> Result<&'o [Operand], PtxError> {
        let elements = match operand {
            Operand::Vector(elements) => &elements[..],
            single => std::slice::from_ref(single),
        };
        if elements.len() == count {
            Ok(elements)
        } else {
            Err(self.error(format!("a fragment of {} registers, expected {count},", elements.len())))
        }
    }
}

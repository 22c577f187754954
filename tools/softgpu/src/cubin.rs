//! What a cubin says of its kernels: the registers that ptxas gave each thread. Nothing else of it is of use here.
//!
//! A cubin is a little-endian 64-bit ELF. Its section `.nv.info` is a list of attributes: a format and a kind of a byte
//! each, then, in the format that has a size, that as u16 and the value. Kind 0x2f holds two words: a function's index in
//! the table of symbols, and its registers.

use std::collections::BTreeMap;

const SECTION_HEADER_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const SIZED: u8 = 4;
const REGISTERS: u8 = 0x2f;

/// Registers of a thread, by kernel. Empty for what is not a cubin, or a damaged one: they are for occupancy alone.
pub(crate) fn registers(elf: &[u8]) -> BTreeMap<String, u32> {
    read(elf).unwrap_or_default()
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(bytes.get(at..)?.first_chunk::<N>()?);
    Some(u64::from_le_bytes(wide))
}

fn place(bytes: &[u8], at: usize) -> Option<usize> {
    number::<8>(bytes, at).and_then(|place| usize::try_from(place).ok())
}

fn name(strings: &[u8], at: u64) -> Option<&str> {
    let bytes = strings.get(usize::try_from(at).ok()?..)?;
    std::str::from_utf8(&bytes[..bytes.iter().position(|&byte| byte == 0)?]).ok()
}

fn read(elf: &[u8]) -> Option<BTreeMap<String, u32>> {
    elf.starts_with(b"\x7fELF\x02\x01").then_some(())?;
    let headers = place(elf, 40)?;
    let header = |index: u64| elf.get(headers.checked_add(usize::try_from(index).ok()? * SECTION_HEADER_BYTES)?..);
    let contents = |header: &[u8]| {
        let start = place(header, 24)?;
        elf.get(start..start.checked_add(place(header, 32)?)?)
    };
    let section_names = contents(header(number::<2>(elf, 62)?)?)?;
    let section = |wanted: &str| {
        (0..number::<2>(elf, 60)?)
            .filter_map(header)
            .find(|header| number::<4>(header, 0).and_then(|at| name(section_names, at)) == Some(wanted))
            .and_then(contents)
    };
    let (symbols, strings, info) = (section(".symtab")?, section(".strtab")?, section(".nv.info")?);
    let mut registers = BTreeMap::new();
    let mut at = 0;
    while let (Some(&format), Some(&kind)) = (info.get(at), info.get(at + 1)) {
        if format == SIZED && kind == REGISTERS {
            let symbol = number::<4>(info, at + 4)?;
            let of = number::<4>(symbols, usize::try_from(symbol).ok()?.checked_mul(SYMBOL_BYTES)?)?;
            registers.insert(name(strings, of)?.to_owned(), u32::try_from(number::<4>(info, at + 8)?).ok()?);
        }
        at += 4 + if format == SIZED { usize::try_from(number::<2>(info, at + 2)?).ok()? } else { 0 };
    }
    Some(registers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_cubin_has_no_registers() {
        assert!(registers(b"").is_empty());
        assert!(registers(b"\x7fELF\x02\x01").is_empty());
        assert!(registers(&[b"\x7fELF\x02\x01".as_slice(), &[0xff; 100]].concat()).is_empty());
    }

    /// A cubin of the sections that are read: `.nv.info` holds an attribute without a size, the registers of the symbols 1
    /// and 0, and an attribute with a size that is none of registers.
    fn cubin() -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let symbol = |name: u32| [&words(&[name])[..], &[0; SYMBOL_BYTES - 4]].concat();
        let names = b"\0.names\0.symtab\0.strtab\0.nv.info\0".to_vec();
        let info = [words(&[0x0000_3703, 0x0008_2f04, 1, 26, 0x0008_2f04, 0, 12]), words(&[0x0008_1104, 1, 0])];
        let sections = [
            (1, names),
            (8, [symbol(1), symbol(7)].concat()),
            (16, b"\0first\0second\0".to_vec()),
            (24, info.concat()),
        ];
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        elf.resize(64, 0);
        let mut headers = Vec::new();
        for (name, contents) in sections {
            let mut header = [0; SECTION_HEADER_BYTES];
            header[..4].copy_from_slice(&u32::to_le_bytes(name));
            header[24..32].copy_from_slice(&(elf.len() as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(contents.len() as u64).to_le_bytes());
            headers.extend(header);
            elf.extend(contents);
        }
        let place = (elf.len() as u64).to_le_bytes();
        elf[40..48].copy_from_slice(&place);
        elf[60] = 4; // sections, the first of which has their names
        elf.extend(headers);
        elf
    }

    #[test]
    fn registers_are_those_of_each_kernel() {
        let cubin = cubin();
        assert_eq!(registers(&cubin), BTreeMap::from([("first".to_owned(), 12), ("second".to_owned(), 26)]));
        // Of the last header, only what lies before byte 40 is read.
        for length in 0..cubin.len() - (SECTION_HEADER_BYTES - 40) {
            assert!(registers(&cubin[..length]).is_empty(), "cut after {length} bytes");
        }
    }
}

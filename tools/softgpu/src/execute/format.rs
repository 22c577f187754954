//! C's printf, as vprintf on the device has it: a format string and a buffer of packed arguments.

use std::fmt::Write;

/// A conversion: `%-08.3llx`.
#[derive(Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "C's flags, each on or off")]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// The argument takes 8 bytes: ll, l, j, z, t, and pointers, strings and floats.
    long: bool,
    /// h and hh: the argument is an int of which this many bits count.
    bits: u32,
    conversion: u8,
}

/// What the arguments are read from: integers of 4 or 8 bytes at multiples of their size.
pub(crate) trait Arguments {
    /// The next argument of 4 or 8 bytes; `None` past the buffer or where it cannot be read.
    fn next(&mut self, bytes: usize) -> Option<u64>;
    /// The characters of a string argument, without its end; the first of more than `most`.
    fn string(&mut self, address: u64, most: usize) -> Option<Vec<u8>>;
}

/// Text of `most` bytes at most, beyond which it is cut, and the number of arguments used. A conversion that C does not know
/// is printed as it stands.
pub(crate) fn format(text: &[u8], arguments: &mut dyn Arguments, most: usize) -> (Vec<u8>, u32) {
    let mut out = Vec::new();
    let mut used = 0;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first()
        && out.len() < most
    {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        if rest.first() == Some(&b'%') {
            out.push(b'%');
            rest = &rest[1..];
            continue;
        }
        let start = rest;
        let Some(directive) = parse(&mut rest, arguments, &mut used) else {
            out.push(b'%');
            rest = start;
            continue;
        };
        let bytes = if directive.long { 8 } else { 4 };
        let Some(value) = arguments.next(bytes) else {
            out.extend_from_slice(b"(no argument)");
            continue;
        };
        used += 1;
        directive.print(value, arguments, &mut out);
    }
    out.truncate(most);
    (out, used)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    // Wider than any line: not a width but a mistake.
    std::str::from_utf8(number).ok()?.parse().ok().map(|n: usize| n.min(4096))
}

fn parse(rest: &mut &[u8], arguments: &mut dyn Arguments, used: &mut u32) -> Option<Directive> {
    let mut directive = Directive { bits: 32, ..Directive::default() };
    while let Some((&flag, after)) = rest.split_first() {
        match flag {
            b'-' => directive.left = true,
            b'+' => directive.plus = true,
            b' ' => directive.space = true,
            b'#' => directive.alternate = true,
            b'0' => directive.zero = true,
            _ => break,
        }
        *rest = after;
    }
    let mut star = |rest: &mut &[u8]| {
        if rest.first() != Some(&b'*') {
            return None;
        }
        *rest = &rest[1..];
        *used += 1;
        arguments.next(4).map(|value| value as i32)
    };
    if let Some(width) = star(rest) {
        directive.left |= width < 0;
        directive.width = (width.unsigned_abs() as usize).min(4096);
    } else {
        directive.width = number(rest).unwrap_or(0);
    }
    if rest.first() == Some(&b'.') {
        *rest = &rest[1..];
        directive.precision = match star(rest) {
            Some(precision) => usize::try_from(precision).ok().map(|n| n.min(4096)),
            None => Some(number(rest).unwrap_or(0)),
        };
    }
    while let Some((&modifier, after)) = rest.split_first() {
        match modifier {
            b'l' | b'j' | b'z' | b't' | b'L' => directive.long = true,
            b'h' => directive.bits = if directive.bits == 16 { 8 } else { 16 },
            _ => break,
        }
        *rest = after;
    }
    let (&conversion, after) = rest.split_first()?;
    directive.conversion = conversion;
    match conversion {
        b'd' | b'i' | b'u' | b'x' | b'X' | b'o' | b'c' => {}
        b'p' | b's' | b'f' | b'F' | b'e' | b'E' | b'g' | b'G' | b'a' | b'A' => directive.long = true,
        _ => return None,
    }
    *rest = after;
    Some(directive)
}

impl Directive {
    fn print(&self, value: u64, arguments: &mut dyn Arguments, out: &mut Vec<u8>) {
        let (sign, digits) = match self.conversion {
            b'c' => return self.pad(b"", &[value as u8], false, out),
            b's' => {
                let most = self.precision.unwrap_or(usize::MAX);
                let mut text = arguments.string(value, most).unwrap_or_else(|| b"(null)".to_vec());
                text.truncate(most);
                return self.pad(b"", &text, false, out);
            }
            b'p' => ("0x", format!("{value:x}")),
            b'd' | b'i' => {
                let value = if self.long { value.cast_signed() } else { i64::from(value as i32) };
                let value = if self.bits < 32 { value << (64 - self.bits) >> (64 - self.bits) } else { value };
                (self.sign(value < 0), self.digits(value.unsigned_abs().to_string()))
            }
            b'u' | b'x' | b'X' | b'o' => {
                let value = if self.long { value } else { value & (u64::MAX >> (64 - self.bits)) };
                let digits = match self.conversion {
                    b'u' => value.to_string(),
                    b'x' => format!("{value:x}"),
                    b'X' => format!("{value:X}"),
                    _ => format!("{value:o}"),
                };
                let prefix = match self.conversion {
                    b'x' if self.alternate && value != 0 => "0x",
                    b'X' if self.alternate && value != 0 => "0X",
                    b'o' if self.alternate && value != 0 => "0",
                    _ => "",
                };
                (prefix, self.digits(digits))
            }
            _ => {
                let value = f64::from_bits(value);
                let sign = self.sign(value.is_sign_negative() && !value.is_nan());
                let mut digits = self.float(value.abs());
                if self.conversion.is_ascii_uppercase() {
                    digits.make_ascii_uppercase();
                }
                return self.pad(sign.as_bytes(), digits.as_bytes(), value.is_finite(), out);
            }
        };
        // With a precision the zero flag is ignored for integers.
        self.pad(sign.as_bytes(), digits.as_bytes(), self.precision.is_none(), out);
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        }
    }

    /// At least `precision` digits; none for a zero with precision 0.
    fn digits(&self, digits: String) -> String {
        match self.precision {
            Some(0) if digits == "0" => String::new(),
            Some(least) => format!("{digits:0>least$}"),
            None => digits,
        }
    }

    fn pad(&self, sign: &[u8], text: &[u8], zeros: bool, out: &mut Vec<u8>) {
        let fill = self.width.saturating_sub(sign.len() + text.len());
        let before = if self.left { 0 } else { fill };
        let zeros = zeros && self.zero && !self.left;
        if !zeros {
            out.extend(std::iter::repeat_n(b' ', before));
        }
        out.extend_from_slice(sign);
        if zeros {
            out.extend(std::iter::repeat_n(b'0', before));
        }
        out.extend_from_slice(text);
        out.extend(std::iter::repeat_n(b' ', fill - before));
    }

    /// A value without its sign.
    fn float(&self, value: f64) -> String {
        if value.is_nan() {
            return "nan".to_owned();
        }
        if value.is_infinite() {
            return "inf".to_owned();
        }
        let precision = self.precision.unwrap_or(6);
        match self.conversion.to_ascii_lowercase() {
            b'f' => {
                let mut text = format!("{value:.precision$}");
                if self.alternate && precision == 0 {
                    text.push('.');
                }
                text
            }
            b'e' => exponential(value, precision, self.alternate),
            b'g' => self.shortest(value, precision.max(1)),
            _ => self.hexadecimal(value),
        }
    }

    fn shortest(&self, value: f64, precision: usize) -> String {
        let scientific = exponential(value, precision - 1, false);
        let exponent: i32 =
            scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default();
        let fixed = exponent >= -4 && exponent < precision as i32;
        let text = if fixed { format!("{value:.*}", (precision as i32 - 1 - exponent) as usize) } else { scientific };
        if self.alternate {
            return text;
        }
        let (digits, tail) = text.split_at(text.find('e').unwrap_or(text.len()));
        let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
        format!("{digits}{tail}")
    }

    fn hexadecimal(&self, value: f64) -> String {
        let bits = value.to_bits();
        let (mut lead, exponent) = match (bits >> 52) as i64 & 0x7ff {
            0 if value == 0.0 => (0, 0),
            0 => (0, -1022),
            exponent => (1, exponent - 1023),
        };
        let mut fraction = bits & ((1 << 52) - 1);
        let mut digits = 13;
        if let Some(precision) = self.precision.filter(|&precision| precision < 13) {
            // To nearest, ties to even, in units of the last digit that stays.
            let drop = 4 * (13 - precision) as u32;
            let whole = (u64::from(lead as u32) << 52) | fraction;
            let (kept, lost, half) = (whole >> drop, whole & ((1 << drop) - 1), 1u64 << (drop - 1));
            let kept = kept + u64::from(lost > half || (lost == half && kept & 1 == 1));
            lead = (kept >> (52 - drop)) as i32;
            fraction = kept & ((1 << (52 - drop)) - 1);
            digits = precision;
        }
        let mut text = format!("0x{lead}");
        if digits > 0 {
            let mut tail = format!("{fraction:0digits$x}");
            match self.precision {
                None => tail.truncate(tail.trim_end_matches('0').len()),
                Some(precision) => tail.extend(std::iter::repeat_n('0', precision.saturating_sub(13))),
            }
            if !tail.is_empty() {
                text.push('.');
                text.push_str(&tail);
            }
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "p{exponent:+}");
        text
    }
}

/// C's form of an exponent: a sign and at least two digits.
fn exponential(value: f64, precision: usize, point: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let point = if point && precision == 0 { "." } else { "" };
    format!("{digits}{point}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Values(std::collections::VecDeque<u64>);

    impl Arguments for Values {
        fn next(&mut self, bytes: usize) -> Option<u64> {
            self.0.pop_front().map(|value| if bytes == 4 { value & 0xffff_ffff } else { value })
        }

        fn string(&mut self, address: u64, _: usize) -> Option<Vec<u8>> {
            (address == 1).then(|| b"text".to_vec())
        }
    }

    fn printed(text: &str, values: &[u64]) -> String {
        let (out, _) = format(text.as_bytes(), &mut Values(values.iter().copied().collect()), 4096);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers() {
        let minus = (-5i64).cast_unsigned();
        for (text, value, expected) in [
            ("%d|", minus, "-5|"),
            ("%5d|", minus, "   -5|"),
            ("%-5d|", minus, "-5   |"),
            ("%05d|", minus, "-0005|"),
            ("%+d|", 5, "+5|"),
            ("% d|", 5, " 5|"),
            ("%.3d|", 5, "005|"),
            ("%6.3d|", 5, "   005|"),
            ("%u|", minus, "4294967291|"),
            ("%lld|", minus, "-5|"),
            ("%llu|", minus, "18446744073709551611|"),
            ("%hhd|", 0x1ff, "-1|"),
            ("%hu|", 0x1_ffff, "65535|"),
            ("%x|", 255, "ff|"),
            ("%#X|", 255, "0XFF|"),
            ("%#x|", 0, "0|"),
            ("%08x|", 255, "000000ff|"),
            ("%o|", 8, "10|"),
            ("%c|", 65, "A|"),
            ("%p|", 0x7000_0000_0000, "0x700000000000|"),
            ("%zu|", 7, "7|"),
            ("100%%|", 0, "100%|"),
            ("%y|", 0, "%y|"),
        ] {
            assert_eq!(printed(text, &[value]), expected, "{text}");
        }
        assert_eq!(printed("%*d|%-*d|", &[4, 7, 4, 8]), "   7|8   |");
        assert_eq!(printed("%d %d", &[1]), "1 (no argument)");
    }

    #[test]
    fn strings() {
        assert_eq!(printed("%s|%6s|%-6s|%.2s|", &[1, 1, 1, 1]), "text|  text|text  |te|");
        assert_eq!(printed("%s", &[0]), "(null)");
    }

    #[test]
    fn text_is_cut() {
        let mut values = Values([1, 1, 1].into());
        assert_eq!(format(b"%9s%9s%9s", &mut values, 12), (b"     text   ".to_vec(), 2));
    }

    #[test]
    fn floats() {
        for (text, value, expected) in [
            ("%f", 1.5, "1.500000"),
            ("%.2f", 2.675, "2.67"),
            ("%8.3f|", -1.0, "  -1.000|"),
            ("%08.3f|", -1.0, "-001.000|"),
            ("%.0f", 2.5, "2"),
            ("%e", 12345.678, "1.234568e+04"),
            ("%.0e", 0.00015, "1e-04"),
            ("%E", 1e100, "1.000000E+100"),
            ("%g", 100_000.0, "100000"),
            ("%g", 1_000_000.0, "1e+06"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 0.00001, "1e-05"),
            ("%g", 0.0, "0"),
            ("%#g", 1.0, "1.00000"),
            ("%.3g", 1234.5, "1.23e+03"),
            ("%g", f64::INFINITY, "inf"),
            ("%05f", f64::NEG_INFINITY, " -inf"),
            ("%F", f64::NAN, "NAN"),
            ("%a", 1.0, "0x1p+0"),
            ("%a", 0.15625, "0x1.4p-3"),
            ("%.1a", 1.96875, "0x2.0p+0"),
        ] {
            assert_eq!(printed(text, &[value.to_bits()]), expected, "{text} {value}");
        }
    }
}

//! A module's PTX as nvcc puts it into a fatbin, line by line: an instruction has a line of its own, after the `.loc` of its
//! source; indentation and comments are gone.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

/// A module's kernels and their instructions.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    pub(crate) instructions: Vec<Instruction>,
}

/// A kernel.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
}

/// A line of a kernel that is an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Its line in the text, from 0.
    pub(crate) line: usize,
    /// Index of its kernel.
    pub(crate) entry: usize,
    /// Number of its straight run, from label or branch to label or branch: of one, all instructions run or none.
    pub(crate) run: usize,
    /// `@%p1`, `@!%p1`.
    pub(crate) guard: Option<String>,
    pub(crate) opcode: String,
    /// As they stand between commas.
    pub(crate) operands: Vec<String>,
    /// The line of the kernel's own source that it comes from.
    pub(crate) source: Source,
}

/// A line of a source file; line 0 where the compiler names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Source {
    /// Below the folder of the kernels: `common/row.cuh`.
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// A `.loc`: file, line, column.
type Place = [u32; 3];

impl Listing {
    pub(crate) fn of(text: &str) -> Self {
        let files = files(text);
        let mut listing = Self::default();
        let (mut source, mut inlined_at) = (Source::default(), HashMap::new());
        let mut run = 0;
        for (number, line) in text.lines().enumerate() {
            if let Some(name) = entry_name(line) {
                listing.entries.push(Entry { name: name.to_owned() });
                (source, inlined_at) = (Source::default(), HashMap::new());
                run += 1;
                continue;
            }
            let Some(entry) = listing.entries.len().checked_sub(1) else { continue };
            if let Some(place) = line.trim_start().strip_prefix(".loc") {
                source = own_source(place, &files, &mut inlined_at);
            } else if let Some((guard, opcode, operands)) = instruction(line) {
                let source = source.clone();
                let ends = opcode.starts_with("bra") || opcode.starts_with("brx") || opcode == "ret";
                listing.instructions.push(Instruction { line: number, entry, run, guard, opcode, operands, source });
                run += usize::from(ends);
            } else {
                run += usize::from(line.trim_end().ends_with(':'));
            }
        }
        listing
    }

    /// The text with another line in the place of one, and without the kernels that are not kept. Lines keep their numbers.
    pub(crate) fn rewrite(text: &str, replaced: Option<(usize, &str)>, kept: &BTreeSet<String>) -> String {
        let mut rewritten = String::with_capacity(text.len() / 2);
        let (mut keeps, mut depth) = (true, 0);
        for (number, line) in text.lines().enumerate() {
            if depth == 0 {
                if let Some(name) = entry_name(line) {
                    keeps = kept.contains(name);
                }
                // The names of inlined functions: messages alone have a use for them.
                keeps &= !(line.trim_start().starts_with(".section") && line.contains(".debug_str"));
            }
            if keeps {
                rewritten += replaced.filter(|(at, _)| *at == number).map_or(line, |(_, line)| line);
            }
            rewritten.push('\n');
            let braces = |brace| line.matches(brace).count();
            let before = depth;
            depth = (depth + braces('{')).saturating_sub(braces('}'));
            keeps |= before > 0 && depth == 0;
        }
        rewritten
    }
}

/// The text without what only debuggers read, so that equal code is equal text to ptxas.
pub(crate) fn without_lines(text: &str) -> String {
    let is_code = |line: &&str| ![".loc", ".file"].iter().any(|word| line.trim_start().starts_with(word));
    text.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect()
}

/// The kernel whose declaration begins on the line.
fn entry_name(line: &str) -> Option<&str> {
    let (_, name) = line.split_once(".entry ")?;
    name.split(['(', ' ']).next()
}

/// Guard, opcode and operands of a line that is an instruction and no more than one.
fn instruction(line: &str) -> Option<(Option<String>, String, Vec<String>)> {
    let statement = line.trim().strip_suffix(';')?;
    let (guard, statement) = match statement.strip_prefix('@') {
        Some(_) => statement.split_once(char::is_whitespace).map(|(guard, rest)| (Some(guard), rest.trim()))?,
        None => (None, statement),
    };
    let (opcode, operands) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
    (opcode.starts_with(|c: char| c.is_ascii_lowercase()) && !operands.contains(';')).then_some(())?;
    Some((guard.map(str::to_owned), opcode.to_owned(), split_operands(operands)))
}

/// Operands between commas that stand in no bracket.
fn split_operands(text: &str) -> Vec<String> {
    let (mut operands, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            ',' if depth == 0 => operands.push(String::new()),
            _ => {
                depth += i32::from(matches!(c, '{' | '[' | '(')) - i32::from(matches!(c, '}' | ']' | ')'));
                operands.last_mut().expect("one at least").push(c);
            }
        }
    }
    operands.iter().map(|operand| operand.trim().to_owned()).filter(|operand| !operand.is_empty()).collect()
}

/// The files of a text by their numbers, those below the kernels' folder by their path from there.
fn files(text: &str) -> HashMap<u32, Option<String>> {
    let file = |line: &str| {
        let (number, path) = line.trim_start().strip_prefix(".file")?.trim().split_once(char::is_whitespace)?;
        let path = path.trim().strip_prefix('"')?.split('"').next()?;
        Some((number.parse().ok()?, own_path(path)))
    };
    text.lines().filter_map(file).collect()
}

/// The path below a folder `cuda` of the repository; none for the toolkit's headers.
fn own_path(path: &str) -> Option<String> {
    let (folder, below) = path.rsplit_once("/cuda/").or_else(|| path.strip_prefix("cuda/").map(|below| ("", below)))?;
    if folder.contains("/nvidia/") {
        return None;
    }
    let mut normal = PathBuf::new();
    for part in Path::new(below).components() {
        match part {
            Component::ParentDir => _ = normal.pop(),
            part => normal.push(part),
        }
    }
    Some(normal.display().to_string())
}

/// The innermost line of the kernels' own files on the way from a place out to where it was inlined.
fn own_source(text: &str, files: &HashMap<u32, Option<String>>, inlined_at: &mut HashMap<Place, Place>) -> Source {
    let (place, at) = text.split_once("inlined_at").map_or((text, None), |(place, at)| (place, numbers(at)));
    let Some(mut place) = numbers(place) else { return Source::default() };
    if let Some(at) = at {
        inlined_at.insert(place, at);
    } else {
        inlined_at.remove(&place);
    }
    // A function that is inlined into itself would go on for ever.
    for _ in 0..64 {
        if let Some(Some(file)) = files.get(&place[0]) {
            return Source { file: file.clone(), line: place[1] };
        }
        let Some(&outer) = inlined_at.get(&place) else { break };
        place = outer;
    }
    Source::default()
}

/// The three numbers that a text begins with.
fn numbers(text: &str) -> Option<Place> {
    let mut words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).map(str::parse);
    Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
.visible .entry first(
.param .u64 first_param_0
)
{
.reg .pred %p<2>;
.loc\t1 10 3
@!%p1 bra $L__BB0_2;
.loc\t2 20 3, function_name $L__info_string0, inlined_at 1 11 5
.loc\t3 30 3, function_name $L__info_string1, inlined_at 2 20 3
st.global.v2.f32 [%rd1+8], {%f1, %f2};
}
.visible .entry second()
{
ret;
}
.file\t1 \"/home/a/cuda/spherical/dense.cu\"
.file\t2 \"/home/a/cuda/spherical/../common/row.cuh\"
.file\t3 \"/usr/local/include/cuda_fp16.hpp\"
.section\t.debug_str
{
$L__info_string0:
.b8 95
}
";

    #[test]
    fn instructions_have_their_own_source() {
        let listing = Listing::of(TEXT);
        let [branch, store, ret] = &listing.instructions[..] else { panic!("{listing:?}") };
        assert_eq!((branch.guard.as_deref(), branch.opcode.as_str()), (Some("@!%p1"), "bra"));
        assert_eq!(branch.source, Source { file: "spherical/dense.cu".into(), line: 10 });
        assert_eq!(store.operands, ["[%rd1+8]", "{%f1, %f2}"]);
        assert_eq!(store.source, Source { file: "common/row.cuh".into(), line: 20 }, "not the toolkit's line");
        assert_eq!((ret.entry, &ret.source), (1, &Source::default()));
        assert!(branch.run < store.run && store.run < ret.run);
    }

    #[test]
    fn a_rewritten_text_keeps_its_lines() {
        let kept = BTreeSet::from(["first".to_owned()]);
        let rewritten = Listing::rewrite(TEXT, Some((6, "trap;")), &kept);
        let lines: Vec<&str> = rewritten.lines().collect();
        assert_eq!(lines.len(), TEXT.lines().count());
        assert_eq!(lines[6], "trap;");
        assert_eq!(lines[9], "st.global.v2.f32 [%rd1+8], {%f1, %f2};");
        assert_eq!(lines[11..15], [""; 4], "the kernel that is not kept");
        assert!(lines[15].contains(".file") && lines[18..].iter().all(|line| line.is_empty()));
    }
}

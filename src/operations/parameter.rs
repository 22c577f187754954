//! A parameter's type, range and default, and its values read from text.

use std::collections::BTreeMap;
use std::fmt;

use super::Operation;
use crate::{Error, Result};

/// A parameter of an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name on the command line and in errors.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when it is not set; none for one that must be set, or whose absence means something.
    pub default: Option<&'static str>,
    /// Whether it must be set.
    pub required: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// An i64.
    Integer,
    /// An i64 that is this or above.
    Count(i64),
    /// A finite number that f32, in which kernels take it, neither makes infinite nor moves out of the range.
    Real(Range),
    /// Two such numbers with a comma between them, the first below the second.
    Interval(Range),
}

/// The numbers between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Range {
    /// The lower bound.
    pub low: f64,
    /// Whether the lower bound itself is left out.
    pub above_low: bool,
    /// The upper bound, which belongs to the range.
    pub high: f64,
}

impl Range {
    /// Every number.
    pub const ALL: Self = Self { low: f64::NEG_INFINITY, above_low: false, high: f64::INFINITY };
    /// Above 0.
    pub const POSITIVE: Self = Self { low: 0.0, above_low: true, high: f64::INFINITY };
    /// 0 or above.
    pub const NOT_NEGATIVE: Self = Self { low: 0.0, above_low: false, high: f64::INFINITY };
    /// From 0 to 1.
    pub const UNIT: Self = Self { low: 0.0, above_low: false, high: 1.0 };

    /// Whether `value` is finite and lies in the range, as it is and rounded to f32.
    pub fn contains(self, value: f64) -> bool {
        let inside = |value: f64| {
            value.is_finite() && value >= self.low && value <= self.high && !(self.above_low && value <= self.low)
        };
        #[allow(clippy::cast_possible_truncation, reason = "the rounding is what is tested")]
        let rounded = f64::from(value as f32);
        inside(value) && inside(rounded)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = if self.above_low { ">" } else { ">=" };
        match (self.low.is_finite(), self.high.is_finite()) {
            (false, false) => write!(f, "a number"),
            (true, false) => write!(f, "a number {relation} {}", self.low),
            (false, true) => write!(f, "a number <= {}", self.high),
            (true, true) if self.above_low => write!(f, "a number > {} and <= {}", self.low, self.high),
            (true, true) => write!(f, "a number from {} to {}", self.low, self.high),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Choice(words) => f.write_str(&words.join(" | ")),
            Self::Boolean => f.write_str("true | false"),
            Self::Integer => f.write_str("an integer"),
            Self::Count(least) => write!(f, "an integer >= {least}"),
            Self::Real(range) => range.fmt(f),
            Self::Interval(range) => write!(f, "two numbers in ascending order, each {range}"),
        }
    }
}

impl Parameter {
    /// The value of `text`.
    ///
    /// # Errors
    /// `Parameter` when the text is not of the type or the value out of the range.
    pub fn parse(&self, operation: &'static str, text: &str) -> Result<Value> {
        let value = match self.kind {
            Kind::Choice(words) => words.iter().find(|word| **word == text).map(|word| Value::Choice(word)),
            Kind::Boolean => text.parse().ok().map(Value::Boolean),
            Kind::Integer => text.parse().ok().map(Value::Integer),
            Kind::Count(least) => text.parse().ok().filter(|count| *count >= least).map(Value::Integer),
            Kind::Real(range) => text.parse().ok().filter(|value| range.contains(*value)).map(Value::Real),
            Kind::Interval(range) => text.split_once(',').and_then(|(low, high)| {
                let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
                (range.contains(low) && range.contains(high) && low < high).then_some(Value::Interval(low, high))
            }),
        };
        value.ok_or_else(|| Error::Parameter {
            operation,
            parameter: self.name,
            came: text.to_string(),
            expected: self.kind.to_string(),
        })
    }
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// One of the words of `Kind::Choice`.
    Choice(&'static str),
    /// Of `Kind::Boolean`.
    Boolean(bool),
    /// Of `Kind::Integer` and `Kind::Count`.
    Integer(i64),
    /// Of `Kind::Real`.
    Real(f64),
    /// Of `Kind::Interval`.
    Interval(f64, f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Choice(word) => f.write_str(word),
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Interval(low, high) => write!(f, "{low},{high}"),
        }
    }
}

/// The values of an operation's parameters, by name. A parameter has none only when it is not set and has no default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<&'static str, Value>);

impl Parameters {
    pub(super) fn parse<'a>(operation: &Operation, set: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, text) in set {
            let parameter = operation.parameter(name)?;
            values.insert(parameter.name, parameter.parse(operation.name, text)?);
        }
        for parameter in operation.parameters {
            if values.contains_key(parameter.name) {
                continue;
            }
            match parameter.default {
                Some(text) => drop(values.insert(parameter.name, parameter.parse(operation.name, text)?)),
                None if parameter.required => {
                    let expected = parameter.kind.to_string();
                    return Err(Error::ParameterNotSet {
                        operation: operation.name,
                        parameter: parameter.name,
                        expected,
                    });
                }
                None => {}
            }
        }
        Ok(Self(values))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.0.get(name).copied()
    }

    /// The word of a `Kind::Choice`.
    pub fn choice(&self, name: &str) -> Option<&'static str> {
        if let Some(Value::Choice(word)) = self.get(name) { Some(word) } else { None }
    }

    /// The value of a `Kind::Boolean`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        if let Some(Value::Boolean(value)) = self.get(name) { Some(value) } else { None }
    }

    /// The value of a `Kind::Integer` or a `Kind::Count`.
    pub fn integer(&self, name: &str) -> Option<i64> {
        if let Some(Value::Integer(value)) = self.get(name) { Some(value) } else { None }
    }

    /// The value of a `Kind::Real`.
    pub fn real(&self, name: &str) -> Option<f64> {
        if let Some(Value::Real(value)) = self.get(name) { Some(value) } else { None }
    }

    /// The values of a `Kind::Interval`.
    pub fn interval(&self, name: &str) -> Option<(f64, f64)> {
        if let Some(Value::Interval(low, high)) = self.get(name) { Some((low, high)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use crate::operations::find;

    #[test]
    fn defaults_fill_what_is_not_set() {
        let dense = find("spherical.dense").expect("an operation");
        let parameters = dense.parameters([("loss", "z"), ("ignore_index", "-1")]).expect("parameters");
        assert_eq!(parameters.choice("loss"), Some("z"));
        assert_eq!(parameters.integer("ignore_index"), Some(-1));
        assert_eq!(parameters.real("epsilon"), Some(0.01));
        assert_eq!(parameters.boolean("need_grad"), Some(true));
        let softmax = find("spherical.softmax_cross_entropy").expect("an operation");
        assert_eq!(softmax.parameters([]).expect("parameters").real("lse_penalty"), None);
    }

    #[test]
    fn a_wrong_value_says_what_was_expected() {
        for (name, text, expected) in [
            ("loss", "zz", "loss is zz, expected squared_error | log_spherical_softmax | log_taylor_softmax | z"),
            ("a", "0", "a is 0, expected a number > 0"),
            ("a", "1e-60", "a is 1e-60, expected a number > 0"),
            ("a", "nan", "a is nan, expected a number > 0"),
            ("b", "inf", "b is inf, expected a number"),
            ("b", "1e39", "b is 1e39, expected a number"),
            ("b", "two", "b is two, expected a number"),
            ("ignore_index", "1.5", "ignore_index is 1.5, expected an integer"),
            ("need_grad", "yes", "need_grad is yes, expected true | false"),
            ("reduction", "", "reduction is , expected none | mean | sum"),
        ] {
            let error = find("spherical.dense").expect("an operation").parameters([("loss", "z"), (name, text)]);
            assert_eq!(error.expect_err("a wrong value").to_string(), format!("spherical.dense: {expected}"));
        }
        let error = find("spherical.softmax_cross_entropy").expect("one").parameters([("label_smoothing", "1.01")]);
        let expected = "spherical.softmax_cross_entropy: label_smoothing is 1.01, expected a number from 0 to 1";
        assert_eq!(error.expect_err("a wrong value").to_string(), expected);
    }

    #[test]
    fn counts_and_intervals_have_their_ranges() {
        let factored = find("spherical.factored").expect("an operation");
        let set = |name, text| factored.parameters([("loss", "z"), ("learning_rate", "0.1"), (name, text)]);
        assert_eq!(set("fold_range", "0.5, 2").expect("parameters").interval("fold_range"), Some((0.5, 2.0)));
        assert_eq!(set("newton_every", "0").expect("parameters").integer("newton_every"), Some(0));
        for (name, text, expected) in [
            ("newton_every", "-1", "newton_every is -1, expected an integer >= 0"),
            ("fold_range", "2,0.5", "fold_range is 2,0.5, expected two numbers in ascending order, each a number > 0"),
            ("fold_range", "0,2", "fold_range is 0,2, expected two numbers in ascending order, each a number > 0"),
            ("fold_range", "1", "fold_range is 1, expected two numbers in ascending order, each a number > 0"),
        ] {
            let error = set(name, text).expect_err("a wrong value").to_string();
            assert_eq!(error, format!("spherical.factored: {expected}"));
        }
    }

    #[test]
    fn what_has_no_default_must_be_set() {
        let error = find("spherical.dense").expect("an operation").parameters([]).expect_err("no loss").to_string();
        let words = "squared_error | log_spherical_softmax | log_taylor_softmax | z";
        assert_eq!(error, format!("spherical.dense: loss is not set, expected {words}"));
    }
}

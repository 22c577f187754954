//! Data as JSON for people and for diffs: what fits in a line stands in one.

use serde::Serialize;
use serde_json::Value;

/// Columns of a line.
const WIDTH: usize = 120;

/// Data as JSON, two spaces a level, each list and each object that fits in a line on one; with a line's end.
pub(crate) fn pretty(data: &impl Serialize) -> String {
    let value = serde_json::to_value(data).expect("data of numbers, text and lists");
    let mut text = String::new();
    write(&mut text, &value, 0, 0);
    text.push('\n');
    text
}

/// Appends a value whose lines are indented by `indent`, and whose first begins `used` columns further on.
fn write(text: &mut String, value: &Value, indent: usize, used: usize) {
    let line = one_line(value);
    let (brackets, items): ([char; 2], Vec<(String, &Value)>) = match value {
        Value::Array(items) => (['[', ']'], items.iter().map(|item| (String::new(), item)).collect()),
        Value::Object(fields) => (
            ['{', '}'],
            fields.iter().map(|(name, item)| (format!("{}: ", Value::from(name.as_str())), item)).collect(),
        ),
        _ => return text.push_str(&line),
    };
    // A comma may follow.
    if indent + used + line.chars().count() < WIDTH {
        return text.push_str(&line);
    }
    text.push(brackets[0]);
    for (i, (name, item)) in items.into_iter().enumerate() {
        text.push_str(if i == 0 { "\n" } else { ",\n" });
        text.extend(std::iter::repeat_n(' ', indent + 2));
        text.push_str(&name);
        write(text, item, indent + 2, name.chars().count());
    }
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
    text.push(brackets[1]);
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(name, item): (&String, &Value)| format!("{}: {}", Value::from(name.as_str()), one_line(item));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stands_in_a_line() {
        let long = vec![1_000_000_000u64; 20];
        let data = serde_json::json!({"grid": [512, 1, 1], "name": "a \"b\"", "none": null, "long": long});
        let text = pretty(&data);
        let head = "{\n  \"grid\": [512, 1, 1],\n  \"name\": \"a \\\"b\\\"\",\n  \"none\": null,\n  \"long\": [\n    1000000000,\n";
        assert!(text.starts_with(head), "{text}");
        assert!(text.ends_with("    1000000000\n  ]\n}\n"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), data);
    }
}

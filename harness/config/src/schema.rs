//! JSON schemas of files and their tables, for editors. They are made from the declarations that the reader uses, and
//! take everything that it takes; what hangs together (a preset with its method, a name with the registry) is left to
//! the reader.

use serde_json::{Value, json};

/// A JSON schema, or a part of one.
pub type Schema = Value;

/// One of some names.
pub fn names(names: &[&str]) -> Schema {
    json!({"enum": names})
}

/// A value that one of the schemas takes, each of them once.
pub fn either(schemas: impl IntoIterator<Item = Schema>) -> Schema {
    let mut each: Vec<Schema> = Vec::new();
    for schema in schemas {
        if !each.contains(&schema) {
            each.push(schema);
        }
    }
    if each.len() == 1 { each.remove(0) } else { json!({"anyOf": each}) }
}

/// A list.
pub fn list(items: Schema) -> Schema {
    json!({"type": "array", "items": items})
}

/// A table with keys of any name.
pub fn map(values: Schema) -> Schema {
    json!({"type": "object", "additionalProperties": values})
}

/// A whole file.
pub fn document(title: &str, mut schema: Schema) -> Schema {
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(title);
    schema
}

/// A schema with a sentence in Markdown that says what it is for.
pub(crate) fn described(mut schema: Schema, description: &str) -> Schema {
    schema["description"] = json!(without_links(description));
    schema
}

/// Markdown whose links, `[text](target)`, are their texts: a target means nothing outside the documents.
fn without_links(markdown: &str) -> String {
    let (mut text, mut rest) = (String::new(), markdown);
    while let Some((head, tail)) = rest.split_once("](") {
        let Some((before, words)) = head.rsplit_once('[') else { break };
        let Some((_, after)) = tail.split_once(')') else { break };
        text += before;
        text += words;
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_the_words_of_links_without_their_targets() {
        let schema = described(json!({}), "See [rules](#rules), `[base]` and [more](a.md).");
        assert_eq!(schema["description"], "See rules, `[base]` and more.");
    }
}

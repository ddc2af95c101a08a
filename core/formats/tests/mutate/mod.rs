//! JSON documents with one thing changed, and the places where one can be.
#![allow(dead_code, reason = "each test program uses some of these")]

use serde_json::Value;

/// The document with the value at a JSON pointer changed, or added.
pub fn with(json: &str, pointer: &str, value: Value) -> Value {
    let mut json: Value = serde_json::from_str(json).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    json
}

/// The document without the member at a JSON pointer.
pub fn without(json: &str, pointer: &str) -> Value {
    let mut json: Value = serde_json::from_str(json).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(name).expect("the member was there");
    json
}

/// The value at a JSON pointer.
pub fn at(json: &str, pointer: &str) -> Value {
    serde_json::from_str::<Value>(json).unwrap().pointer(pointer).unwrap().clone()
}

/// Pointers to all objects of a document, itself among them.
pub fn objects(json: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(json).unwrap();
    let inner = values_of(&json, String::new());
    let is_object = |pointer: &String| json.pointer(pointer).unwrap().is_object();
    std::iter::once(String::new()).chain(inner).filter(is_object).collect()
}

/// Pointers to all values of a document but itself.
pub fn values(json: &str) -> Vec<String> {
    values_of(&serde_json::from_str(json).unwrap(), String::new())
}

fn values_of(value: &Value, pointer: String) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, child)| (format!("{pointer}/{name}"), child)).collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, child)| (format!("{pointer}/{index}"), child))
            .collect(),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (pointer, child) in children {
        found.push(pointer.clone());
        found.extend(values_of(child, pointer));
    }
    found
}

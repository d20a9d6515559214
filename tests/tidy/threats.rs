//! The threat model names a test for each defence, and the test exists.

use std::fs;
use std::path::Path;

/// The rows of the tables with three columns, from the first table of attacks on.
fn defences(model: &str) -> Vec<&str> {
    let (_, attacks) = model.split_once("\n| attack ").unwrap();
    let is_row = |line: &&str| line.starts_with("| ") && line.matches(" | ").count() == 2;
    attacks
        .lines()
        .skip(2)
        .filter(is_row)
        .filter(|line| !line.starts_with("| attack ") && !line.starts_with("| what "))
        .collect()
}

#[test]
fn each_defence_of_the_threat_model_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let defences = defences(&model);
    assert!(defences.len() > 40, "{}", defences.len());
    for line in defences {
        let reference = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let Some((file, name)) = reference.trim_start_matches('`').split_once("`: ") else {
            assert!(root.join(reference.trim_matches('`')).exists(), "no such file: {line}");
            continue;
        };
        let source = fs::read_to_string(root.join(file)).unwrap();
        // A function, or the beginning of a title. Titles may be built from parts, so a part of a literal is enough.
        let function = source.contains(&format!("fn {name}("));
        let title = ["\"", "`"].iter().any(|quote| source.contains(&format!("{quote}{name}")));
        assert!(function || title, "no such test: {line}");
    }
}

//! House rules that neither the compiler nor clippy checks.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod layers;
mod prose;
mod threats;

use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder of the project with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Packages and builds of the examples, if they were made in place.
            let is_made = path.ends_with("target") || path.ends_with("node_modules");
            if path.is_dir() && !is_made {
                walk(&path, files);
            } else {
                files.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    assert!(!found.is_empty(), "{folder} has no .{ending} file");
    found
}

fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// The layer that a file of `src` belongs to: the first folder below it.
fn layer(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    below.components().next().unwrap().as_os_str().to_str().unwrap().to_owned()
}

/// Files of `src` in the forbidden layers whose code has one of these words.
fn files_using(is_forbidden: impl Fn(&str) -> bool, words: &[&str]) -> Vec<PathBuf> {
    let mut files = files("src", "rs");
    files.retain(|path| is_forbidden(&layer(path)) && words.iter().any(|word| code(path).contains(word)));
    files
}

/// Files of `src` outside these layers whose code has one of these words.
fn offenders(allowed: &[&str], words: &[&str]) -> Vec<PathBuf> {
    files_using(|layer| !allowed.contains(&layer), words)
}

/// Files of this layer whose code has one of these words.
fn within(name: &str, words: &[&str]) -> Vec<PathBuf> {
    files_using(|layer| layer == name, words)
}

#[track_caller]
fn assert_none(offenders: &[PathBuf]) {
    assert!(offenders.is_empty(), "{offenders:?}");
}

#[test]
fn files_have_at_most_310_lines() {
    let folders = [
        ("src", "rs"),
        ("examples", "rs"),
        ("examples", "mjs"),
        ("tests", "rs"),
        ("tests", "mjs"),
        ("src", "mjs"),
        ("benches", "rs"),
        ("benches", "mjs"),
    ];
    for (folder, ending) in folders {
        for path in files(folder, ending) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 310, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn every_file_opens_with_a_comment() {
    let folders = [
        ("src", "rs"),
        ("examples", "rs"),
        ("examples", "mjs"),
        ("tests", "rs"),
        ("tests", "mjs"),
        ("src", "mjs"),
        ("scripts", "mjs"),
        ("benches", "rs"),
        ("benches", "mjs"),
    ];
    for (folder, ending) in folders {
        for path in files(folder, ending) {
            let text = fs::read_to_string(&path).unwrap();
            let opening = if ending == "rs" { "//!" } else { "//" };
            assert!(text.starts_with(opening), "{} does not open with a comment", path.display());
        }
    }
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.lines().count() <= 150);
}

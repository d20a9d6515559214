//! Plain English, as far as it can be counted: words that stand for a missing noun, and comments that say nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::files;

/// Pronouns in place of a noun. A sentence about a system has a subject: the client, the isolate, the statement.
const PRONOUNS: [&str; 5] = ["whoever", "nobody", "somebody", "everybody", "meanwhile"];

/// The same for `what` and `who`, which are also question words and relatives: so many are left in a kind of text.
const QUESTION_WORDS: [&str; 2] = ["what", "who"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The prose of a file: all of a document, the comments of a program.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let comment = match path.extension().and_then(|extension| extension.to_str()) {
        Some("md") => return text,
        // The messages of examples are the service's own, part of the wire contract.
        Some("yaml") => {
            return text.lines().filter(|line| !line.contains("message: \"")).collect::<Vec<_>>().join("\n");
        }
        Some("sql") => "--",
        Some("rs" | "mjs" | "js") => "//",
        _ => "#",
    };
    let is_comment = |line: &&str| {
        let line = line.trim_start();
        line.starts_with(comment) || line.starts_with("* ") || line.starts_with("/**")
    };
    text.lines().filter(is_comment).collect::<Vec<_>>().join("\n")
}

fn documents() -> Vec<PathBuf> {
    let names = [
        "README.md",
        "ARCHITECTURE.md",
        "PERFORMANCE.md",
        "DEPLOY.md",
        "SECURITY.md",
        "docs/integrate.md",
        "docs/browsers.md",
        "docs/mail.md",
        "docs/email-verification.md",
        "docs/account-recovery.md",
        "docs/factors.md",
        "docs/federation.md",
        "docs/invitations.md",
        "docs/migrate.md",
        "docs/audit.md",
        "examples/README.md",
        "docs/operate.md",
        "docs/scale.md",
        "docs/settings.md",
        "CHANGELOG.md",
        "openapi.yaml",
    ];
    names.iter().map(|name| root().join(name)).collect()
}

fn programs() -> Vec<PathBuf> {
    let folders = [
        ("src", "rs"),
        ("src", "mjs"),
        ("tests", "rs"),
        ("tests", "mjs"),
        ("benches", "rs"),
        ("benches", "mjs"),
        ("examples", "rs"),
        ("examples", "mjs"),
        ("scripts", "mjs"),
        ("pages", "js"),
        ("migrations", "sql"),
    ];
    folders.iter().flat_map(|(folder, ending)| files(folder, ending)).collect()
}

fn count(text: &str, words: &[&str]) -> usize {
    let all = text.split(|c: char| !c.is_alphanumeric() && c != '@' && c != '-').map(str::to_lowercase);
    all.filter(|word| words.contains(&word.as_str())).count()
}

#[test]
fn no_pronoun_stands_for_a_missing_noun() {
    // This file lists the words.
    let is_other = |path: &PathBuf| !path.ends_with("tests/tidy/prose.rs");
    for path in documents().into_iter().chain(programs()).filter(is_other) {
        let found = count(&prose(&path), &PRONOUNS);
        assert_eq!(found, 0, "{} says {PRONOUNS:?}", path.display());
    }
}

/// They may become fewer, and not more.
#[test]
fn question_words_are_rare_in_statements() {
    let total = |paths: Vec<PathBuf>| paths.iter().map(|path| count(&prose(path), &QUESTION_WORDS)).sum::<usize>();
    assert_eq!(total(documents()), 0, "documents");
    assert!(total(programs()) <= PROGRAM_LIMIT, "programs: {}", total(programs()));
}

/// "An attacker who …" has a noun, and stays.
const PROGRAM_LIMIT: usize = 13;

/// `/// Whose.` explains nothing: a comment informs, or it is left out.
#[test]
fn doc_comments_have_more_than_three_words() {
    for path in files("src", "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let is_doc = |line: &str| line.starts_with("/// ") || line == "///";
            let Some(comment) = line.strip_prefix("/// ") else { continue };
            let is_alone = !index.checked_sub(1).is_some_and(|above| is_doc(lines[above]))
                && !lines.get(index + 1).is_some_and(|below| is_doc(below));
            let words = comment.split_whitespace().count();
            assert!(!is_alone || words > 3, "{}:{}: {comment}", path.display(), index + 1);
        }
    }
}

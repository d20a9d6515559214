//! Names for display: of people, universities, departments and courses. A name shows all of its characters. With hidden
//! ones it could look like another name, or reverse the text that follows it on a page (Unicode TR 36 §2.5, §3.1).

use crate::domain::unicode::is_invisible;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// The text is empty, or none of its characters leaves a mark.
    Blank,
    /// The text has more code points than allowed.
    TooLong,
    /// The text contains a control, line-separating, zero-width or direction-changing character.
    HiddenCharacter,
}

/// Trims a name and checks it.
pub(in crate::domain) fn parse_name(text: &str, max_length: usize) -> Result<&str, NameFault> {
    let text = text.trim();
    if has_hidden_characters(text) {
        return Err(NameFault::HiddenCharacter);
    }
    if !text.chars().any(leaves_a_mark) {
        return Err(NameFault::Blank);
    }
    if text.chars().count() > max_length {
        return Err(NameFault::TooLong);
    }
    Ok(text)
}

fn has_hidden_characters(text: &str) -> bool {
    let following = text.chars().skip(1).map(Some).chain([None]);
    let mut previous = None;
    for (c, next) in text.chars().zip(following) {
        if (c.is_control() || is_invisible(c)) && !is_needed(previous, c, next) {
            return true;
        }
        previous = Some(c);
    }
    false
}

/// Some scripts are not written correctly without joiners: Persian and the Indic scripts separate or join letters with
/// them, and emoji consist of several joined ones. A variation selector chooses the picture of the preceding character.
fn is_needed(previous: Option<char>, c: char, next: Option<char>) -> bool {
    match (previous, c, next) {
        // The final consonants of Malayalam, as they were written before they had characters of their own.
        (Some('\u{d4d}'), '\u{200d}', _) => true,
        (Some(previous), '\u{200c}' | '\u{200d}', Some(next)) => is_joined(previous) && is_joined(next),
        (
            Some(previous),
            '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}',
            _,
        ) => leaves_a_mark(previous),
        _ => false,
    }
}

fn is_joined(c: char) -> bool {
    c.is_alphabetic() || is_indic_sign(c) || is_emoji(c)
}

/// Signs of the Indic and related scripts, such as viramas and nuktas. Unicode does not count all of them as alphabetic,
/// although a joiner follows them.
const fn is_indic_sign(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{dff}' | '\u{f84}' | '\u{1039}'..='\u{103a}' | '\u{17d2}' | '\u{1a60}' | '\u{1b44}')
}

const fn is_emoji(c: char) -> bool {
    matches!(c, '\u{20e3}' | '\u{2190}'..='\u{27bf}' | '\u{2900}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// False for blanks and for characters that are drawn as one, such as the empty Braille pattern.
fn leaves_a_mark(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !is_invisible(c) && !matches!(c, '\u{2800}' | '\u{1d159}')
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(parse_name("  Grace Hopper\u{3000}\n", 12), Ok("Grace Hopper"));
        assert_eq!(parse_name("Grace Hopper!", 12), Err(NameFault::TooLong));
        assert_eq!(parse_name(&"é".repeat(12), 12).map(str::len), Ok(24), "code points are counted, not bytes");
    }

    #[test]
    fn hidden_characters_are_refused() {
        let hidden = [
            '\0',
            '\n',
            '\t',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
        ];
        for c in hidden {
            assert_eq!(parse_name(&format!("eviL{c}ecilA"), 200), Err(NameFault::HiddenCharacter), "{c:?}");
        }
        assert_eq!(parse_name("\u{202e}eviL ecilA", 200), Err(NameFault::HiddenCharacter));
    }

    #[test]
    fn joiners_are_allowed_between_letters_and_emoji_only() {
        let names = [
            "علی\u{200c}رضا",
            "ශ\u{dca}\u{200d}රී ලංකා",
            "क\u{94d}\u{200d}ष",
            "അവന\u{d4d}\u{200d}",
            "👩\u{200d}🔬 Ada",
            "👩🏽\u{200d}💻",
            "👩\u{200d}❤\u{fe0f}\u{200d}👨",
            "葛\u{e0100}城",
            "1\u{fe0f}\u{20e3}",
        ];
        for name in names {
            assert_eq!(parse_name(name, 200), Ok(name));
        }
        for name in [
            "\u{200d}Ada",
            "Ada\u{200d}",
            "Ada \u{200c}King",
            "A\u{200d}\u{200d}da",
            "7\u{200c}7",
            "\u{fe0f}",
            "a \u{fe0f}",
        ] {
            assert_eq!(parse_name(name, 200), Err(NameFault::HiddenCharacter), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_looks_empty_is_none() {
        for name in ["", " \t ", "\u{2003}\u{3000}", "\u{2800}", "\u{2800} \u{2800}", "\u{2028}"] {
            assert_eq!(parse_name(name, 200), Err(NameFault::Blank), "{name:?}");
        }
        assert_eq!(parse_name("⠁\u{2800}⠃", 200), Ok("⠁\u{2800}⠃"), "Braille");
    }
}

//! The letters in English. Another language is another file with this function.

use crate::domain::mail::letter::Part::{Code, Link, Paragraph};
use crate::domain::mail::letter::{Letter, Message, Part, Proofs};
use crate::domain::time::Timestamp;

/// Writes a letter of the service with this name.
#[must_use]
pub fn write(letter: &Letter<'_>, app_name: &str) -> Message {
    match letter {
        Letter::Verify(proofs) => Message::of(
            format!("Confirm your address for {app_name}"),
            &with_proofs(
                format!(
                    "An account at {app_name} was registered with this address. Confirm that the address is yours:"
                ),
                proofs,
                "The link is valid for 24 hours. It asks for the password of the account.",
                "You did not register? Then do nothing: without this mail the address stays unconfirmed.",
            ),
        ),
        Letter::Reset(proofs) => Message::of(
            format!("A new password for {app_name}"),
            &with_proofs(
                format!("A new password was asked for, for your account at {app_name}. Choose it here:"),
                proofs,
                "The link is valid for 30 minutes, and once. The new password ends all sessions and API keys of the account.",
                "You did not ask for it? Then do nothing: your password stays as it is. Give the code to no one.",
            ),
        ),
        Letter::PasswordChanged { at, reset_page } => Message::of(
            format!("Your password for {app_name} was changed"),
            &[
                Paragraph(format!(
                    "The password of your account at {app_name} was changed on {}, and the other sessions were ended.",
                    moment(*at)
                )),
                Paragraph("Was it you? Then there is nothing to do. If not, choose a new password at once:".to_owned()),
                Link((*reset_page).to_owned()),
            ],
        ),
        Letter::SignIn { code } => Message::of(
            format!("Your sign-in code for {app_name}"),
            &[
                Paragraph(format!("Enter this code to sign in to {app_name}. It is valid for 10 minutes, and once:")),
                Code(code.expose().to_owned()),
                Paragraph("You did not ask for it? Then do nothing, and give the code to no one.".to_owned()),
            ],
        ),
        Letter::Register(proofs) => Message::of(
            format!("Confirm your address for {app_name}"),
            &with_proofs(
                format!(
                    "An account at {app_name} was asked for with this address. To get it, confirm that the address is yours:"
                ),
                proofs,
                "The link is valid for 24 hours. It asks for the password that was chosen.",
                "You did not register? Then do nothing: without this mail there is no account.",
            ),
        ),
        Letter::Registered { reset_page } => Message::of(
            format!("You have an account at {app_name}"),
            &[
                Paragraph(format!(
                    "An account at {app_name} was asked for with this address, which has one already. Nothing was changed."
                )),
                Paragraph(
                    "Was it you? Then sign in with your password. If you forgot it, choose a new one:".to_owned(),
                ),
                Link((*reset_page).to_owned()),
                Paragraph("If it was not you, there is nothing to do.".to_owned()),
            ],
        ),
    }
}

fn with_proofs(opening: String, proofs: &Proofs<'_>, link: &str, closing: &str) -> Vec<Part> {
    vec![
        Paragraph(opening),
        Link(proofs.link.expose().to_owned()),
        Paragraph(link.to_owned()),
        Paragraph("If a page asks you for a code, enter this one. It is valid for 10 minutes:".to_owned()),
        Code(proofs.code.expose().to_owned()),
        Paragraph(closing.to_owned()),
    ]
}

/// `2026-11-29 at 08:20 UTC`.
fn moment(at: Timestamp) -> String {
    let text = at.rfc3339();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} at {} UTC", time.get(..5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_reset_has_the_link_and_the_code_in_both_bodies() {
        let (link, code) = (Secret::new("https://login.example.com/reset#token=1.ab"), Secret::new("01234567"));
        let message = write(&Letter::Reset(Proofs { link: &link, code: &code }), "Example");
        assert_eq!(message.subject, "A new password for Example");
        let text = "A new password was asked for, for your account at Example. Choose it here:

https://login.example.com/reset#token=1.ab

The link is valid for 30 minutes, and once. The new password ends all sessions and API keys of the account.

If a page asks you for a code, enter this one. It is valid for 10 minutes:

01234567

You did not ask for it? Then do nothing: your password stays as it is. Give the code to no one.
";
        assert_eq!(message.text, text);
        let anchor = "<p><a href=\"https://login.example.com/reset#token=1.ab\">https://login.example.com/reset#token=1.ab</a></p>";
        assert!(message.html.contains(anchor) && message.html.contains("<code>01234567</code>"), "{}", message.html);
        assert!(!message.html.contains("<img") && !message.html.contains("src="), "nothing is loaded");
    }

    #[test]
    fn a_notice_says_when_and_what_to_do() {
        let at = Timestamp::from_seconds(1_795_208_163);
        let letter = Letter::PasswordChanged { at, reset_page: "https://login.example.com/reset" };
        let text = "The password of your account at Example was changed on 2026-11-20 at 20:56 UTC, and the other sessions were ended.

Was it you? Then there is nothing to do. If not, choose a new password at once:

https://login.example.com/reset
";
        assert_eq!(write(&letter, "Example").text, text);
    }

    #[test]
    fn a_sign_in_has_a_code_and_no_link() {
        let message = write(&Letter::SignIn { code: &Secret::new("01234567") }, "Example");
        assert_eq!(message.subject, "Your sign-in code for Example");
        let text = "Enter this code to sign in to Example. It is valid for 10 minutes, and once:

01234567

You did not ask for it? Then do nothing, and give the code to no one.
";
        assert_eq!(message.text, text);
        assert!(!message.html.contains("<a "), "{}", message.html);
    }

    #[test]
    fn a_registration_says_whether_there_is_an_account() {
        let (link, code) = (Secret::new("https://login.example.com/verify#token=1.ab"), Secret::new("01234567"));
        let new = write(&Letter::Register(Proofs { link: &link, code: &code }), "Example");
        let text =
            "An account at Example was asked for with this address. To get it, confirm that the address is yours:

https://login.example.com/verify#token=1.ab

The link is valid for 24 hours. It asks for the password that was chosen.

If a page asks you for a code, enter this one. It is valid for 10 minutes:

01234567

You did not register? Then do nothing: without this mail there is no account.
";
        assert_eq!((new.subject.as_str(), new.text.as_str()), ("Confirm your address for Example", text));
        let old = write(&Letter::Registered { reset_page: "https://login.example.com/reset" }, "Example");
        let text = "An account at Example was asked for with this address, which has one already. Nothing was changed.

Was it you? Then sign in with your password. If you forgot it, choose a new one:

https://login.example.com/reset

If it was not you, there is nothing to do.
";
        assert_eq!((old.subject.as_str(), old.text.as_str()), ("You have an account at Example", text));
    }

    #[test]
    fn the_name_of_the_service_is_text() {
        let (link, code) = (Secret::new("https://a/verify#token=1"), Secret::new("1"));
        let letter = Letter::Verify(Proofs { link: &link, code: &code });
        let message = write(&letter, "A & <B>");
        assert!(message.html.contains("An account at A &amp; &lt;B&gt; was") && !message.html.contains("<B>"));
        assert!(message.text.contains("An account at A & <B> was"));
    }
}

//! The letters in English. Another language is another file with this function.

use crate::domain::mail::letter::Part::{Code, Link, Paragraph};
use crate::domain::mail::letter::{Letter, Message, Notice, Part, Proofs, without_links};
use crate::domain::secret::Secret;
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
        Letter::Notice { notice, at, link } => of_notice(*notice, *at, link, app_name),
        Letter::AccountErased { at } => Message::of(
            format!("Your account at {app_name} was erased"),
            &[
                Paragraph(format!(
                    "Your account at {app_name} was erased on {}, with all that is personal. This is the last mail about it.",
                    moment(*at)
                )),
                Paragraph("It cannot be brought back. If you did not ask for it, tell the operator of the service.".to_owned()),
            ],
        ),
        Letter::ChangeAddress(proofs) => Message::of(
            format!("Confirm your new address for {app_name}"),
            &with_proofs(
                format!(
                    "An account at {app_name} is to have this address in place of its present one. Confirm that the address is yours:"
                ),
                proofs,
                "The link is valid for 24 hours. It asks for the password of the account.",
                "You did not ask for it? Then do nothing: the account keeps the address that it has.",
            ),
        ),
        Letter::AddressTaken { reset_page } => Message::of(
            format!("Your address for {app_name}"),
            &[
                Paragraph(format!(
                    "Another account at {app_name} was to get this address. Your account has it already, so nothing was changed."
                )),
                Paragraph("Was it you? Then sign in with this address. You forgot the password? Choose a new one here:".to_owned()),
                Link(reset_page.expose().to_owned()),
                Paragraph("You did not ask for it? Then do nothing.".to_owned()),
            ],
        ),
        Letter::EmailChanged { at, link } => Message::of(
            format!("Your address for {app_name} was changed"),
            &[
                Paragraph(format!(
                    "The address of your account at {app_name} was changed on {}. Its mails go to the new address from now on.",
                    moment(*at)
                )),
                Paragraph("Was it you? Then there is nothing to do. If not, undo the change within 7 days:".to_owned()),
                Link(link.expose().to_owned()),
                Paragraph(
                    "This ends all sessions and API keys of the account. Then you choose a new password, by a mail to this address."
                        .to_owned(),
                ),
            ],
        ),
        Letter::Invitation { role, university, link } => of_invitation(role, university, link, app_name),
    }
}

fn of_invitation(role: &str, university: &str, link: &Secret, app_name: &str) -> Message {
    Message::of(
        format!("An invitation at {app_name}"),
        &[
            Paragraph(format!(
                "You are invited at {app_name}, to this university: {}. Your role there: {}. Accept it here:",
                without_links(university),
                role.to_lowercase().replace('_', " ")
            )),
            Link(link.expose().to_owned()),
            Paragraph(
                "The link is valid for 7 days. You need an account with this address, or register one.".to_owned(),
            ),
            Paragraph(
                "You did not expect it? Then do nothing: an invitation that is not accepted has no effect.".to_owned(),
            ),
        ],
    )
}

fn of_notice(notice: Notice, at: Timestamp, link: &Secret, app_name: &str) -> Message {
    let (subject, text) = subject_and_event(notice);
    Message::of(
        subject.replace("{app}", app_name),
        &[
            Paragraph(text.replace("{app}", app_name).replace("{at}", &moment(at))),
            Paragraph(
                "Was it you? Then there is nothing to do. If not, end all sessions and choose a new password at once:"
                    .to_owned(),
            ),
            Link(link.expose().to_owned()),
        ],
    )
}

const fn subject_and_event(notice: Notice) -> (&'static str, &'static str) {
    match notice {
        Notice::PasswordChanged => (
            "Your password for {app} was changed",
            "The password of your account at {app} was changed on {at}, and the other sessions were ended.",
        ),
        Notice::SignedIn => (
            "A new sign-in to {app}",
            "Your account at {app} was signed in to on {at}, from a network and a device that are new to it.",
        ),
        Notice::ReuseDetected => (
            "A session at {app} was ended",
            "A session of your account at {app} was ended on {at}: its refresh token came a second time, so it may have been copied.",
        ),
        Notice::ApiKeysChanged => (
            "The API keys of your account at {app}",
            "An API key of your account at {app} was made or withdrawn on {at}.",
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
        let link = Secret::new("https://login.example.com/not-me#token=1.ab");
        let letter = Letter::Notice { notice: Notice::PasswordChanged, at, link: &link };
        let text = "The password of your account at Example was changed on 2026-11-20 at 20:56 UTC, and the other sessions were ended.

Was it you? Then there is nothing to do. If not, end all sessions and choose a new password at once:

https://login.example.com/not-me#token=1.ab
";
        assert_eq!(write(&letter, "Example").text, text);
    }

    #[test]
    fn an_invitation_names_role_and_university_without_links() {
        let link = Secret::new("https://login.example.com/invite#token=1.ab");
        let university = "St. John's (win at https://evil.example.com/x, mail a@b.co)";
        let message = write(&Letter::Invitation { role: "UNIVERSITY_ADMIN", university, link: &link }, "Example");
        assert_eq!(message.subject, "An invitation at Example");
        let text = "You are invited at Example, to this university: St. John's (win at https   evil example com x, mail a b co). Your role there: university admin. Accept it here:

https://login.example.com/invite#token=1.ab

The link is valid for 7 days. You need an account with this address, or register one.

You did not expect it? Then do nothing: an invitation that is not accepted has no effect.
";
        assert_eq!(message.text, text);
        assert_eq!(message.html.matches("href").count(), 1);
    }

    #[test]
    fn the_new_address_gets_a_proof_or_learns_that_it_has_an_account() {
        let (link, code) = (Secret::new("https://login.example.com/verify#token=1.ab"), Secret::new("01234567"));
        let message = write(&Letter::ChangeAddress(Proofs { link: &link, code: &code }), "Example");
        assert_eq!(message.subject, "Confirm your new address for Example");
        let opening = "An account at Example is to have this address in place of its present one. Confirm that the address is yours:

https://login.example.com/verify#token=1.ab
";
        assert!(message.text.starts_with(opening), "{}", message.text);
        let reset_page = Secret::new("https://login.example.com/reset");
        let taken = write(&Letter::AddressTaken { reset_page: &reset_page }, "Example");
        let text =
            "Another account at Example was to get this address. Your account has it already, so nothing was changed.

Was it you? Then sign in with this address. You forgot the password? Choose a new one here:

https://login.example.com/reset

You did not ask for it? Then do nothing.
";
        assert_eq!(taken.text, text);
    }

    #[test]
    fn the_former_address_gets_a_link_that_undoes_the_change() {
        let link = Secret::new("https://login.example.com/undo#token=1.ab");
        let letter = Letter::EmailChanged { at: Timestamp::from_seconds(1_795_208_163), link: &link };
        let text = "The address of your account at Example was changed on 2026-11-20 at 20:56 UTC. Its mails go to the new address from now on.

Was it you? Then there is nothing to do. If not, undo the change within 7 days:

https://login.example.com/undo#token=1.ab

This ends all sessions and API keys of the account. Then you choose a new password, by a mail to this address.
";
        let message = write(&letter, "Example");
        assert_eq!((message.subject.as_str(), message.text.as_str()), ("Your address for Example was changed", text));
    }

    #[test]
    fn every_notice_tells_the_event_its_moment_and_the_way_back() {
        let (at, link) =
            (Timestamp::from_seconds(1_795_208_163), Secret::new("https://login.example.com/not-me#token=1.ab"));
        let letter = |notice| write(&Letter::Notice { notice, at, link: &link }, "Example");
        let message = letter(Notice::SignedIn);
        assert_eq!(message.subject, "A new sign-in to Example");
        let text = "Your account at Example was signed in to on 2026-11-20 at 20:56 UTC, from a network and a device that are new to it.

Was it you? Then there is nothing to do. If not, end all sessions and choose a new password at once:

https://login.example.com/not-me#token=1.ab
";
        assert_eq!(message.text, text);
        for notice in [Notice::PasswordChanged, Notice::ReuseDetected, Notice::ApiKeysChanged] {
            let Message { subject, text, html } = letter(notice);
            assert!(subject.contains("Example") && text.contains("2026-11-20 at 20:56 UTC"), "{text}");
            assert!(text.contains(link.expose()) && !format!("{subject}{text}{html}").contains('{'), "{text}");
        }
        let erased = write(&Letter::AccountErased { at }, "Example");
        assert!(erased.text.starts_with("Your account at Example was erased on 2026-11-20 at 20:56 UTC"));
        assert!(!erased.html.contains("href"));
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

//! The letters in English. Another language is another file with this function.

use crate::domain::mail::letter::Part::{Code, Link, Paragraph};
use crate::domain::mail::letter::{CodePurpose, Letter, Message, Notice, Part, Proofs, without_links};
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
                Paragraph(
                    "It cannot be brought back. If you did not ask for it, tell the operator of the service."
                        .to_owned(),
                ),
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
        Letter::AddressTaken { reset_page } => of_taken_address(reset_page, app_name),
        Letter::EmailChanged { at, link } => of_changed_address(*at, Some(link), app_name),
        Letter::EmailMoved { at } => of_changed_address(*at, None, app_name),
        Letter::Code(purpose, code) => of_code(*purpose, code, app_name),
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
                Link(reset_page.expose().to_owned()),
                Paragraph("If it was not you, there is nothing to do.".to_owned()),
            ],
        ),
        Letter::Invitation { role, university, link } => of_invitation(role, university, link, app_name),
    }
}

fn of_taken_address(reset_page: &Secret, app_name: &str) -> Message {
    Message::of(
        format!("Your address for {app_name}"),
        &[
            Paragraph(format!(
                "Another account at {app_name} was to get this address. Your account has it already, so nothing was changed."
            )),
            Paragraph(
                "Was it you? Then sign in with this address. You forgot the password? Choose a new one here:"
                    .to_owned(),
            ),
            Link(reset_page.expose().to_owned()),
            Paragraph("You did not ask for it? Then do nothing.".to_owned()),
        ],
    )
}

/// Subject, opening and closing of the letters that have only a code.
const SIGN_IN: [&str; 3] = [
    "Your sign-in code for {app}",
    "Enter this code to sign in to {app}. It is valid for 10 minutes, and once:",
    "You did not ask for it? Then do nothing, and give the code to no one.",
];
const ENROL: [&str; 3] = [
    "Your code for a second factor at {app}",
    "Enter this code to add the first second factor to your account at {app}. It is valid for 10 minutes, and once:",
    "You did not ask for it? Then your password may be known to others: change it, and give the code to no one.",
];
const FEDERATE: [&str; 3] = [
    "Your code to sign in to {app} with another provider",
    "An account of another provider with this address is to sign in to {app}. Enter this code to allow it from now on. It is valid for 10 minutes, and once:",
    "You did not ask for it? Then do nothing, and give the code to no one: it would open your account to them.",
];
const STEP_UP: [&str; 3] = [
    "Your confirmation code for {app}",
    "Enter this code to confirm a change of your account at {app}. It is valid for 10 minutes, and once:",
    "You did not ask for it? Then a device of yours may be in use by others: end your sessions, and give the code to no one.",
];

fn of_code(purpose: CodePurpose, code: &Secret, app_name: &str) -> Message {
    let texts = match purpose {
        CodePurpose::SignIn => SIGN_IN,
        CodePurpose::Enrol => ENROL,
        CodePurpose::Federate => FEDERATE,
        CodePurpose::StepUp => STEP_UP,
    };
    let [subject, opening, closing] = texts.map(|text| text.replace("{app}", app_name));
    Message::of(subject, &[Paragraph(opening), Code(code.expose().to_owned()), Paragraph(closing)])
}

/// Without the link, the change is final.
fn of_changed_address(at: Timestamp, link: Option<&Secret>, app_name: &str) -> Message {
    let mut parts = vec![Paragraph(format!(
        "The address of your account at {app_name} was changed on {}. Its mails go to the new address from now on.",
        moment(at)
    ))];
    match link {
        Some(link) => parts.extend([
            Paragraph("Was it you? Then there is nothing to do. If not, undo the change within 7 days:".to_owned()),
            Link(link.expose().to_owned()),
            Paragraph(
                "This ends all sessions and API keys of the account. Then you choose a new password, by a mail to this address."
                    .to_owned(),
            ),
        ]),
        None => parts.push(Paragraph(
            "It was confirmed with a second factor of the account, so it cannot be undone by this mail. Was it not you? Then tell the operator of the service."
                .to_owned(),
        )),
    }
    Message::of(format!("Your address for {app_name} was changed"), &parts)
}

fn of_invitation(role: &str, university: &str, link: &Secret, app_name: &str) -> Message {
    Message::of(
        format!("An invitation at {app_name}"),
        &[
            Paragraph(format!(
                "You are invited at {app_name}, to this university: {}. Your role there: {}. Accept it here:",
                without_links(university),
                role.to_ascii_lowercase().replace('_', " ")
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
        Notice::FactorsChanged => (
            "The second factors of your account at {app}",
            "The second factors of your account at {app} were changed on {at}: an authenticator app, a passkey or the recovery codes.",
        ),
        Notice::IdentitiesChanged => (
            "The sign-in methods of your account at {app}",
            "On {at}, an account of another provider was linked to your account at {app}, or unlinked from it. A linked one can sign in.",
        ),
        Notice::SecondFactorRefused => (
            "Your password for {app} may be known to others",
            "Someone entered the right password of your account at {app}, and five wrong second factors, the last one on {at}.",
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

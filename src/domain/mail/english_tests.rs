//! The letters as their readers get them.

use crate::domain::mail::english::write;
use crate::domain::mail::letter::{CodePurpose, Letter, Message, Notice, Proofs};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
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
    let anchor =
        "<p><a href=\"https://login.example.com/reset#token=1.ab\">https://login.example.com/reset#token=1.ab</a></p>";
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
    let opening =
        "An account at Example is to have this address in place of its present one. Confirm that the address is yours:

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
fn a_change_that_a_second_factor_confirmed_has_no_link() {
    let letter = Letter::EmailMoved { at: Timestamp::from_seconds(1_795_208_163) };
    let text = "The address of your account at Example was changed on 2026-11-20 at 20:56 UTC. Its mails go to the new address from now on.

It was confirmed with a second factor of the account, so it cannot be undone by this mail. Was it not you? Then tell the operator of the service.
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
    for notice in [
        Notice::PasswordChanged,
        Notice::ReuseDetected,
        Notice::ApiKeysChanged,
        Notice::FactorsChanged,
        Notice::SecondFactorRefused,
    ] {
        let Message { subject, text, html } = letter(notice);
        assert!(subject.contains("Example") && text.contains("2026-11-20 at 20:56 UTC"), "{text}");
        assert!(text.contains(link.expose()) && !format!("{subject}{text}{html}").contains('{'), "{text}");
    }
    let erased = write(&Letter::AccountErased { at }, "Example");
    assert!(erased.text.starts_with("Your account at Example was erased on 2026-11-20 at 20:56 UTC"));
    assert!(!erased.html.contains("href"));
}

#[test]
fn a_sign_in_has_a_code_and_no_link() {
    let message = write(&Letter::Code(CodePurpose::SignIn, &Secret::new("01234567")), "Example");
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
    let text = "An account at Example was asked for with this address. To get it, confirm that the address is yours:

https://login.example.com/verify#token=1.ab

The link is valid for 24 hours. It asks for the password that was chosen.

If a page asks you for a code, enter this one. It is valid for 10 minutes:

01234567

You did not register? Then do nothing: without this mail there is no account.
";
    assert_eq!((new.subject.as_str(), new.text.as_str()), ("Confirm your address for Example", text));
    let old = write(&Letter::Registered { reset_page: &Secret::new("https://login.example.com/reset") }, "Example");
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

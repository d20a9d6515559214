//! QR codes as SVG, which a page includes as it is.
//!
//! The picture has no script, style, id or link, so it is harmless inline and satisfies any Content-Security-Policy.
//! Dark modules on an explicit white ground: many scanners do not read the inverse, which a dark page would show.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the symbol (ISO/IEC 18004).
const QUIET_ZONE: i32 = 4;

/// The QR code of a text, with error correction M (15 %) or more where it fits. None if the text is too long: about 2,300
/// bytes. The picture is as secret as the text.
#[must_use]
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET_ZONE;
    let path = dark_path(&code);
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" \
         role=\"img\" aria-label=\"QR code\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path d=\"{path}\"/></svg>"
    ))
}

/// One rectangle for each run of dark modules in a row.
fn dark_path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        let mut run = 0;
        // The column behind the last one is light, and ends the last run.
        for x in 0..=code.size() {
            if code.get_module(x, y) {
                run += 1;
            } else if run > 0 {
                let (left, top) = (x - run + QUIET_ZONE, y + QUIET_ZONE);
                let _ = write!(path, "M{left} {top}h{run}v1h-{run}z");
                run = 0;
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const URI: &str = "otpauth://totp/Example%20University:ada%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                       &issuer=Example%20University&algorithm=SHA1&digits=6&period=30";

    fn attribute<'a>(svg: &'a str, name: &str) -> &'a str {
        svg.split_once(&format!(" {name}=\"")).unwrap().1.split_once('"').unwrap().0
    }

    /// Paints the path: `pixels[y][x]` is dark.
    fn painted(svg: &str) -> Vec<Vec<bool>> {
        let side: usize = attribute(svg, "viewBox").rsplit_once(' ').unwrap().1.parse().unwrap();
        let mut pixels = vec![vec![false; side]; side];
        for rectangle in attribute(svg, "d").strip_suffix('z').unwrap().split('z') {
            let (left, rest) = rectangle.strip_prefix('M').unwrap().split_once(' ').unwrap();
            let (top, rest) = rest.split_once('h').unwrap();
            let (width, back) = rest.split_once("v1h-").unwrap();
            assert_eq!(width, back, "the rectangle is closed");
            let (left, width): (usize, usize) = (left.parse().unwrap(), width.parse().unwrap());
            for pixel in &mut pixels[top.parse::<usize>().unwrap()][left..left + width] {
                assert!(!*pixel, "painted twice");
                *pixel = true;
            }
        }
        pixels
    }

    #[test]
    fn the_picture_shows_each_module_and_a_quiet_zone_of_four() {
        for text in ["", "a", "12345", URI, &"ü".repeat(1_000)] {
            let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
            let pixels = painted(&svg(text).unwrap());
            assert_eq!(pixels.len(), usize::try_from(code.size()).unwrap() + 8);
            for (y, row) in (-4..).zip(&pixels) {
                for (x, pixel) in (-4..).zip(row) {
                    assert_eq!(*pixel, code.get_module(x, y), "{x} {y}");
                }
            }
        }
    }

    #[test]
    fn the_picture_is_inert_and_readable_on_a_dark_page() {
        let svg = svg(URI).unwrap();
        let side = attribute(&svg, "width");
        let frame = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" \
             role=\"img\" aria-label=\"QR code\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\""
        );
        assert!(svg.starts_with(&frame) && svg.ends_with("z\"/></svg>"), "{svg}");
        assert_eq!(svg.matches('<').count(), 4, "svg, rect, path, /svg");
        let is_of_path = |c: char| c.is_ascii_digit() || "Mhvz- ".contains(c);
        assert!(attribute(&svg, "d").chars().all(is_of_path));
    }

    #[test]
    fn size_is_bounded() {
        let largest = svg(&"a".repeat(2_331)).unwrap();
        assert!(largest.len() < 180_000, "{}", largest.len());
        assert!(svg(&"a".repeat(2_332)).is_none());
        let usual = svg(URI).unwrap();
        assert!(usual.len() < 14_000, "{}", usual.len());
    }
}

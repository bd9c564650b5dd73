//! What a style sequence (SGR, ECMA-48 §8.3.117) does to the text after it.

/// Whether the parameters make text invisible: conceal (8), or one basic colour for both text and ground.
///
/// The numbers after 38, 48 and 58 belong to an extended colour and are stepped over.
pub(crate) fn conceals(parameters: &str) -> bool {
    let mut numbers = parameters.split(';');
    let mut text = None;
    let mut ground = None;
    while let Some(number) = numbers.next() {
        let colon = number.contains(':');
        match number.split(':').next().unwrap_or_default().trim_start_matches('0') {
            "8" => return true,
            "" => (text, ground) = (None, None),
            "38" if colon => text = None,
            "48" if colon => ground = None,
            "58" if colon => {}
            extended @ ("38" | "48" | "58") => {
                let colour = extended_colour(&mut numbers);
                match extended {
                    "38" => text = colour,
                    "48" => ground = colour,
                    _ => {}
                }
            }
            basic => match basic.parse::<u32>() {
                Ok(code @ 30..=37) => text = Some(Colour::Indexed(code.saturating_sub(30))),
                Ok(code @ 90..=97) => text = Some(Colour::Indexed(code.saturating_sub(82))),
                Ok(code @ 40..=47) => ground = Some(Colour::Indexed(code.saturating_sub(40))),
                Ok(code @ 100..=107) => ground = Some(Colour::Indexed(code.saturating_sub(92))),
                Ok(39) => text = None,
                Ok(49) => ground = None,
                _ => {}
            },
        }
    }
    text.is_some() && text == ground
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Indexed(u32),
    Mixed([u8; 3]),
}

/// Reads the rest of `38;5;n` or `38;2;r;g;b`.
fn extended_colour<'p>(numbers: &mut impl Iterator<Item = &'p str>) -> Option<Colour> {
    match numbers.next()? {
        "5" => Some(Colour::Indexed(numbers.next()?.parse().ok()?)),
        "2" => {
            let (red, green, blue) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Some(Colour::Mixed([red.parse().ok()?, green.parse().ok()?, blue.parse().ok()?]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makes_text_invisible_conceals() {
        let check = |parameters: &str, expected| assert_eq!(conceals(parameters), expected, "{parameters}");
        check("", false);
        check("0", false);
        check("1;31", false);
        check("8", true);
        check("08", true);
        check("1;8", true);
        check("28", false);
        check("38;5;8", false);
        check("48;5;8", false);
        check("38;2;8;8;8", false);
        check("38:5:8", false);
        check("38;5;8;8", true);
        check("30;40", true);
        check("31;40", false);
        check("30;40;39", false);
        check("97;107", true);
        check("90;100", true);
        check("38;5;0;40", true);
        check("38;2;1;2;3;48;2;1;2;3", true);
        check("38;2;1;2;3;48;2;1;2;4", false);
        check("30;40;0", false);
        check("99999999999999999999", false);
    }
}

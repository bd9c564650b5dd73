//! What an operator is told while files are looked at every second.

use super::Reloaded;
use tracing::{error, info, warn};

/// At which look with trouble it is told. A certificate and its key are two files, so for a moment they do not fit.
const TELL_AT: u32 = 2;
/// After how many looks it is told again: an hour.
const REMIND_EVERY: u32 = 3600;

/// How long there has been trouble with some files.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    looks: u32,
}

/// What is to be told of a look.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    Replaced,
    Unusable,
    AsBefore,
}

impl Trouble {
    /// Tells what one look has found; `whose` says of what, such as `the gateway`.
    pub(crate) fn tell(&mut self, whose: &str, looked: Result<Reloaded, String>) {
        match (self.news(looked.as_ref().ok().copied()), looked) {
            (News::Replaced, _) => info!(whose, "the certificates were replaced; new connections use the new ones"),
            (News::AsBefore, _) => warn!(whose, "the certificate files are again those in use"),
            (News::Unusable, Err(reason)) => {
                error!(whose, %reason, "the new certificates cannot be used; the old ones go on");
            }
            _ => {}
        }
    }

    fn news(&mut self, looked: Option<Reloaded>) -> News {
        let Some(reloaded) = looked else {
            self.looks = self.looks.saturating_add(1);
            return if self.looks % REMIND_EVERY == TELL_AT { News::Unusable } else { News::Nothing };
        };
        let was_told = std::mem::take(&mut self.looks) >= TELL_AT;
        match reloaded {
            Reloaded::Replaced => News::Replaced,
            Reloaded::Unchanged if was_told => News::AsBefore,
            Reloaded::Unchanged => News::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_when_it_stays_and_again_every_hour() {
        let mut trouble = Trouble::default();
        let mut look = |looked| trouble.news(looked);
        assert_eq!(look(Some(Reloaded::Unchanged)), News::Nothing);
        // The moment between two files.
        assert_eq!((look(None), look(Some(Reloaded::Replaced))), (News::Nothing, News::Replaced));
        assert_eq!((look(None), look(None), look(None)), (News::Nothing, News::Unusable, News::Nothing));
        let again = (4..=3602).filter(|_| look(None) == News::Unusable).count();
        assert_eq!(again, 1);
        assert_eq!(look(Some(Reloaded::Unchanged)), News::AsBefore);
        assert_eq!(look(Some(Reloaded::Unchanged)), News::Nothing);
    }
}

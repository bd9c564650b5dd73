//! The promises of the store, seen from outside.

#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod root_keys;
#[cfg(test)]
mod seals;
#[cfg(test)]
mod support;

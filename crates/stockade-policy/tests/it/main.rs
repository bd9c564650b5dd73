//! Promises of the policy: who may do what, and that nothing else may.

#[cfg(test)]
mod documented;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod permits;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod rulings;
#[cfg(test)]
mod starters;
#[cfg(test)]
mod words;

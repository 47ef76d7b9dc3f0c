//! What reading a record comes to: nothing there, something that can't be read, or the record.

use crate::error::Error;

/// A record as it is found. One that can't be read counts as missing, so that it is made again, and never ends a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T> {
    /// Nothing is there.
    Missing,
    /// It is damaged, torn, or of a version that this program does not read: why.
    Unreadable(String),
    /// The record.
    Whole(T),
}

impl<T> Found<T> {
    /// From what a reader gave.
    pub(crate) fn of(read: Result<Option<T>, Error>) -> Self {
        match read {
            Ok(None) => Self::Missing,
            Ok(Some(record)) => Self::Whole(record),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// The record, if it is there and whole.
    pub fn whole(self) -> Option<T> {
        match self {
            Self::Whole(record) => Some(record),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }

    /// As [`Self::whole`], borrowed.
    pub fn as_ref(&self) -> Found<&T> {
        match self {
            Self::Missing => Found::Missing,
            Self::Unreadable(why) => Found::Unreadable(why.clone()),
            Self::Whole(record) => Found::Whole(record),
        }
    }

    /// Whether it is there and whole.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Why it can't be read.
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Unreadable(why) => Some(why),
            Self::Missing | Self::Whole(_) => None,
        }
    }

    /// The same of what `change` makes of the record.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::Missing => Found::Missing,
            Self::Unreadable(why) => Found::Unreadable(why),
            Self::Whole(record) => Found::Whole(change(record)),
        }
    }
}

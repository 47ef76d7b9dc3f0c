//! What a prediction is made of: parts, each a link and some grids, and how the maps of two parts become one.

harness_config::named_enum! {
    /// What turns an upsampled grid into a share of a map.
    pub enum Link {
        /// The logistic function: a grid holds logits of the abnormal class.
        Sigmoid = "sigmoid",
        /// Nothing: a grid holds scores, such as distances, of any scale.
        Identity = "identity",
    }
}

/// Grids with one link: the part's map is the sum over its grids of the link of the grid, upsampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// The link of each of its grids.
    pub link: Link,
    /// How many grids it has, at least one.
    pub grids: usize,
}

harness_config::named_enum! {
    /// How the maps of two parts, or two image scores, of a whole test set become one: z of what is known from text, f
    /// of what is known from support images.
    pub enum Combine {
        /// Each brought to 0..1 by its own smallest and largest value over the test set, then the mean of both. So a
        /// score depends on the other test images.
        Range = "range",
        /// The mean of z and of f brought to 0..1.
        HalfRange = "half-range",
        /// z + f.
        Sum = "sum",
        /// z alone.
        Zero = "zero",
        /// f alone.
        Few = "few",
    }
}

impl Combine {
    /// Whether a score depends on the other images of its test set.
    pub const fn is_transductive(self) -> bool {
        matches!(self, Self::Range | Self::HalfRange)
    }
}

/// What the maps of a prediction are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One part.
    One(Part),
    /// Two parts, whose grids stand one behind the other, joined by a rule.
    Joined {
        /// What is known from text.
        zero: Part,
        /// What is known from support images.
        few: Part,
        /// The rule.
        rule: Combine,
    },
}

impl Layout {
    /// Grids of an image.
    pub const fn grids(&self) -> usize {
        match self {
            Self::One(part) => part.grids,
            Self::Joined { zero, few, .. } => zero.grids + few.grids,
        }
    }

    /// Its only part, or the one of text.
    pub const fn first(&self) -> Part {
        match self {
            Self::One(part) => *part,
            Self::Joined { zero, .. } => *zero,
        }
    }

    /// Whether a score depends on the other images of its test set.
    pub const fn is_transductive(&self) -> bool {
        matches!(self, Self::Joined { rule, .. } if rule.is_transductive())
    }
}

impl From<Part> for Layout {
    fn from(part: Part) -> Self {
        Self::One(part)
    }
}

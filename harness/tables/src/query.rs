//! Group-bys, joins and pivots of typed rows: a lazy query that Polars plans and runs when its rows are read.
//!
//! Rows keep their order through every step, so a result depends neither on hashes nor on the number of threads.

use std::path::Path;
use std::sync::Arc;

use polars::frame::PivotColumnNaming;
use polars::prelude::{Column, DataFrame, JoinArgs, JoinType, MaintainOrderJoin, SortMultipleOptions};
use polars_lazy::dsl::{Expr, by_name, col, element, lit};
use polars_lazy::frame::{IntoLazy, LazyFrame};

use crate::row::{Found, frame};
use crate::{Row, TablesError};

/// A query over rows. Columns have the names of the row type's fields.
#[derive(Clone)]
pub struct Query(LazyFrame);

/// What a group gives of one of its columns.
#[derive(Clone, Debug)]
pub struct Aggregate<'a> {
    column: &'a str,
    kind: Kind,
    /// Only rows whose text in a column is this.
    when: Option<(&'a str, &'a str)>,
    name: &'a str,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Values,
    Distinct,
    Count,
}

/// All values of a column, in the order of rows: a `Vec` field.
///
/// Sums and means are left to the reader of the row: Polars adds up in an order that depends on how a group lies in
/// memory.
pub fn values(column: &str) -> Aggregate<'_> {
    Aggregate { column, kind: Kind::Values, when: None, name: column }
}

/// The distinct texts of a column that are not empty, sorted: a `Vec<String>` field.
pub fn distinct(column: &str) -> Aggregate<'_> {
    Aggregate { column, kind: Kind::Distinct, when: None, name: column }
}

/// How many distinct values a column has: a `u32` field.
pub fn count(column: &str) -> Aggregate<'_> {
    Aggregate { column, kind: Kind::Count, when: None, name: column }
}

impl<'a> Aggregate<'a> {
    /// The same of those rows alone that have a text in a column.
    #[must_use]
    pub fn when(self, column_is: (&'a str, &'a str)) -> Self {
        Self { when: Some(column_is), ..self }
    }

    /// The same under another name than the column's.
    #[must_use]
    pub fn named(self, name: &'a str) -> Self {
        Self { name, ..self }
    }

    fn expression(&self) -> Expr {
        let all = col(self.column);
        let some = match self.when {
            Some((column, text)) => all.filter(col(column).eq(lit(text))),
            None => all,
        };
        let made = match self.kind {
            Kind::Values => some.implode(true),
            Kind::Distinct => some.clone().filter(some.neq(lit(""))).unique().sort(Default::default()).implode(true),
            Kind::Count => some.n_unique(),
        };
        made.alias(self.name)
    }
}

fn columns(names: &[&str]) -> Vec<Expr> {
    names.iter().map(|name| col(*name)).collect()
}

impl Query {
    /// All of these rows.
    ///
    /// # Errors
    /// Polars' own.
    pub fn of<R: Row>(rows: &[R]) -> Result<Self, TablesError> {
        Ok(Self(frame(rows)?.lazy()))
    }

    /// Those rows that have a text in a column.
    #[must_use]
    pub fn only(self, (column, text): (&str, &str)) -> Self {
        Self(self.0.filter(col(column).eq(lit(text))))
    }

    /// Those rows that have a value in a column.
    #[must_use]
    pub fn with(self, column: &str) -> Self {
        Self(self.0.filter(col(column).is_not_null()))
    }

    /// The rows sorted by columns; equals keep their order.
    #[must_use]
    pub fn sort(self, by: &[&str]) -> Self {
        let options = SortMultipleOptions::default().with_maintain_order(true);
        Self(self.0.sort_by_exprs(columns(by), options))
    }

    /// One row for each combination of `keys`, in the order in which they first occur.
    #[must_use]
    pub fn group_by(self, keys: &[&str], aggregates: &[Aggregate<'_>]) -> Self {
        let aggregates: Vec<Expr> = aggregates.iter().map(Aggregate::expression).collect();
        Self(self.0.group_by_stable(columns(keys)).agg(aggregates))
    }

    /// Of each combination of `keys` the first row, with these keys and columns alone.
    #[must_use]
    pub fn first(self, keys: &[&str], others: &[&str]) -> Self {
        let firsts: Vec<Expr> = others.iter().map(|name| col(*name).first()).collect();
        Self(self.0.group_by_stable(columns(keys)).agg(firsts))
    }

    /// The rows with the columns of those of `other` that have the same `keys`, which are left empty where there is
    /// none.
    #[must_use]
    pub fn join(self, other: Self, keys: &[&str]) -> Self {
        let order = JoinArgs { maintain_order: MaintainOrderJoin::LeftRight, ..JoinArgs::new(JoinType::Left) };
        Self(self.0.join(other.0, columns(keys), columns(keys), order))
    }

    /// The rows.
    ///
    /// # Errors
    /// A column that the row type has and the query has not, or one with values that don't fit.
    pub fn rows<R: Row>(self) -> Result<Vec<R>, TablesError> {
        let found = self.0.collect()?;
        R::rows(&Found::new(&found, Path::new(R::TABLE)))
    }

    /// A line for each combination of `lines`, in the order in which they first occur, with the text of `value` below
    /// each of `headings`, which are texts of `column`. A line that has several is given the first.
    ///
    /// # Errors
    /// Polars' own.
    pub fn pivot(
        self,
        lines: &[&str],
        column: &str,
        headings: &[String],
        value: &str,
    ) -> Result<Vec<Vec<Option<String>>>, TablesError> {
        let wanted = DataFrame::new(headings.len(), vec![Column::new(column.into(), headings)])?;
        let only = |names: &[&str]| by_name(names.iter().copied(), true, false);
        let pivoted = self
            .0
            .pivot(
                only(&[column]),
                Arc::new(wanted),
                only(lines),
                only(&[value]),
                element().first(),
                true,
                "".into(),
                PivotColumnNaming::Auto,
            )
            .collect()?;
        let mut rows = vec![Vec::with_capacity(headings.len()); pivoted.height()];
        for heading in headings {
            let cells = pivoted.column(heading)?.str()?;
            rows.iter_mut().zip(cells.iter()).for_each(|(row, cell)| row.push(cell.map(str::to_owned)));
        }
        Ok(rows)
    }
}

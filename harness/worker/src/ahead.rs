//! Images that are read and decoded while those before them are encoded: one batch ahead, never more.

use std::thread::{Builder, JoinHandle};

use harness_data::{DataError, Source, load_image};
use rayon::prelude::*;

/// Images of one side, `[3, S, S]` each, 0 to 255.
type Pixels = Result<Vec<Vec<u8>>, DataError>;

/// At most one batch that is being read.
#[derive(Default)]
pub(crate) struct Ahead(Option<Reading>);

struct Reading {
    sources: Vec<Source>,
    size: usize,
    thread: JoinHandle<Pixels>,
}

impl Ahead {
    /// The images of these sources, `size` pixels a side: those that were read ahead, where they are these, and then
    /// the error that reading them met; else they are read now.
    ///
    /// # Errors
    /// One of those of reading an image.
    pub(crate) fn take(&mut self, sources: &[Source], size: usize) -> Pixels {
        match self.0.take() {
            Some(reading) => {
                let is_it = reading.size == size && reading.sources == sources;
                // Also what nobody wants any more is waited for, so that there is never more than one.
                let read = reading.thread.join();
                if is_it { read.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) } else { load(sources, size) }
            }
            None => load(sources, size),
        }
    }

    /// Begins to read images that will be wanted next, after the last that were begun have been taken.
    pub(crate) fn begin(&mut self, sources: Vec<Source>, size: usize) {
        if self.0.is_some() || sources.is_empty() {
            return;
        }
        let wanted = sources.clone();
        let thread = Builder::new().name("ahead".to_owned()).spawn(move || load(&wanted, size));
        // Without a thread they are read when they are taken.
        self.0 = thread.ok().map(|thread| Reading { sources, size, thread });
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(reading) = self.0.take() {
            drop(reading.thread.join());
        }
    }
}

fn load(sources: &[Source], size: usize) -> Pixels {
    sources.par_iter().map(|source| load_image(source, size)).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use harness_data::Split;
    use harness_data::phantom::{PhantomPlane, PhantomSpec};

    use super::*;

    fn image(index: usize) -> Source {
        let spec = PhantomSpec { side: 8, ..PhantomSpec::default() };
        Source::Phantom(PhantomPlane { spec, split: Split::Test, abnormal: false, index, mask: false })
    }

    #[test]
    fn images_are_the_same_whether_they_were_read_ahead_or_not() {
        let [one, two, three] = [0, 1, 2].map(image);
        let now = |sources: &[Source]| load(sources, 4).unwrap();
        let mut ahead = Ahead::default();
        let (first, second) = ([one.clone(), two.clone()], [three, two]);
        assert_eq!(ahead.take(&first, 4).unwrap(), now(&first));
        ahead.begin(second.to_vec(), 4);
        // What is begun before the last was taken is not read.
        ahead.begin(first.to_vec(), 4);
        assert_eq!(ahead.take(&second, 4).unwrap(), now(&second));
        assert!(ahead.0.is_none());
        for (begun, size) in [(&first, 4), (&second, 5)] {
            ahead.begin(begun.to_vec(), size);
            assert_eq!(ahead.take(&second, 4).unwrap(), now(&second), "others were read ahead");
        }
    }

    #[test]
    fn an_image_that_can_not_be_read_is_told_when_its_batch_is_wanted_and_not_before() {
        let (good, bad) = (image(0), Source::File("no/such/image.png".into()));
        let mut ahead = Ahead::default();
        ahead.begin(vec![good.clone(), bad.clone()], 4);
        let read = ahead.take(&[good.clone(), bad.clone()], 4).unwrap_err().to_string();
        assert_eq!(read, load(&[good.clone(), bad.clone()], 4).unwrap_err().to_string());
        // A batch that is not wanted any more fails nothing.
        ahead.begin(vec![bad], 4);
        assert!(ahead.take(&[good], 4).is_ok());
    }
}

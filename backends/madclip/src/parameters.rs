//! The trainable tensors of a model, by name.

use std::collections::BTreeMap;

use burn::backend::Autodiff;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use harness_method::parameters::Parameter;

use crate::ModelError;
use crate::tensors::{HostTensor, Tensors, to_device, to_host};

/// Trainable tensors by name. They are kept flat and shaped where they are used, so that update, gradient and state
/// are the same few lines for every rank.
#[derive(Clone, Debug)]
pub(crate) struct Parameters<B: Backend>(BTreeMap<String, Trainable<B>>);

/// Gradients by the name of their tensor, flat.
pub(crate) type Gradients<B> = BTreeMap<String, Tensor<B, 1>>;

/// One trainable tensor.
#[derive(Clone, Debug)]
pub(crate) struct Trainable<B: Backend> {
    /// Shape in which it is used.
    pub(crate) shape: Vec<usize>,
    /// Its values.
    pub(crate) values: Tensor<B, 1>,
}

impl<B: Backend> Trainable<B> {
    /// Values in this tensor's shape, on the host.
    pub(crate) fn shaped(&self, values: Vec<f32>) -> HostTensor<'static> {
        HostTensor { shape: self.shape.clone(), data: values.into() }
    }
}

impl<B: Backend> Parameters<B> {
    /// No tensors yet.
    pub(crate) fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// The values that a state has for these parameters.
    ///
    /// # Errors
    /// A tensor is missing or misshapen.
    pub(crate) fn read(wanted: &[Parameter], state: &dyn Tensors, device: &B::Device) -> Result<Self, ModelError> {
        let read = |Parameter { name, shape, .. }: &Parameter| {
            let tensor = state.expect(name, shape)?;
            let values = to_device(tensor.data.into_owned(), [shape.iter().product()], device);
            Ok((name.clone(), Trainable { shape: shape.clone(), values }))
        };
        wanted.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// A tensor in its own shape.
    pub(crate) fn get<const D: usize>(&self, name: &str) -> Tensor<B, D> {
        match self.0.get(name) {
            Some(Trainable { shape, values }) => values.clone().reshape(<[i32; D]>::from(Dims(shape))),
            None => unreachable!("`{name}` is in the list of trainable tensors"),
        }
    }

    /// Every tensor by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Trainable<B>)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Every tensor by name, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Trainable<B>)> {
        self.0.iter_mut().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The same tensors with other values, on this backend or another.
    pub(crate) fn map<C: Backend>(&self, values: impl Fn(&str, &Tensor<B, 1>) -> Tensor<C, 1>) -> Parameters<C> {
        let map = |(name, tensor): (&String, &Trainable<B>)| {
            (name.clone(), Trainable { shape: tensor.shape.clone(), values: values(name, &tensor.values) })
        };
        Parameters(self.0.iter().map(map).collect())
    }

    /// The same as leaves of a new graph, which tracks some of them by name.
    pub(crate) fn leaves(&self, tracked: impl Fn(&str) -> bool) -> Parameters<Autodiff<B>> {
        self.map(|name, values| {
            let leaf = Tensor::from_inner(values.clone());
            if tracked(name) { leaf.require_grad() } else { leaf }
        })
    }

    /// Gradients of all of these tensors in their shapes, on the host: zeros where there is none.
    pub(crate) fn gradients_to_host(&self, gradients: &Gradients<B>) -> BTreeMap<String, HostTensor<'static>> {
        let read = |(name, tensor): (&String, &Trainable<B>)| {
            let data = match gradients.get(name) {
                Some(gradient) => to_host(gradient.clone()),
                None => vec![0.0; tensor.values.dims()[0]],
            };
            (name.clone(), tensor.shaped(data))
        };
        self.0.iter().map(read).collect()
    }

    /// The values on the host.
    pub(crate) fn to_host(&self) -> BTreeMap<String, HostTensor<'static>> {
        let read = |tensor: &Trainable<B>| tensor.shaped(to_host(tensor.values.clone()));
        self.0.iter().map(|(name, tensor)| (name.clone(), read(tensor))).collect()
    }
}

impl<B: Backend> Parameters<Autodiff<B>> {
    /// Of these leaves, the gradients that a walk of their graph found.
    pub(crate) fn gradients(&self, found: &<Autodiff<B> as AutodiffBackend>::Gradients) -> Gradients<B> {
        self.iter().filter_map(|(name, leaf)| Some((name.to_owned(), leaf.values.grad(found)?))).collect()
    }
}

struct Dims<'a>(&'a [usize]);

impl<const D: usize> From<Dims<'_>> for [i32; D] {
    fn from(dims: Dims<'_>) -> Self {
        std::array::from_fn(|i| dims.0[i] as i32)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use harness_method::parameters::parameters;

    use super::*;
    use crate::testing::{B, DEVICE, arch, initial, options, state};

    #[test]
    fn a_state_comes_back_as_it_was_given() {
        let (given, found) = (state(&options()), initial(&options()).to_host());
        assert_eq!(found.len(), given.len());
        for (name, tensor) in &found {
            assert_eq!((&tensor.shape, &tensor.data), (&given[name].shape, &given[name].data), "{name}");
        }
    }

    #[test]
    fn tensors_are_flat_inside_and_shaped_where_they_are_used() {
        let parameters = initial(&options());
        assert_eq!(parameters.get::<2>("normal.1.det.weight").dims(), [12, 16]);
        assert_eq!(parameters.get::<1>("text.normal").dims(), [12]);
        let doubled: Parameters<B> = parameters.map(|_, values| values.clone() * 2.0);
        for ((_, once), (_, twice)) in parameters.iter().zip(doubled.iter()) {
            assert_eq!(to_host(once.values.clone() * 2.0), to_host(twice.values.clone()));
            assert_eq!(once.shape, twice.shape);
        }
    }

    #[test]
    fn a_missing_and_a_misshapen_tensor_are_named() {
        let wanted = parameters(&options(), &arch());
        let read = |state: &dyn Tensors| Parameters::<B>::read(&wanted, state, &DEVICE).unwrap_err().to_string();
        let mut given = state(&options());
        given.remove("text.normal");
        assert_eq!(read(&given), "tensor `text.normal` is missing");
        given.insert("text.normal".into(), HostTensor { shape: vec![3], data: vec![0.0; 3].into() });
        assert_eq!(read(&given), "tensor `text.normal` has shape [3], expected [12]");
    }
}

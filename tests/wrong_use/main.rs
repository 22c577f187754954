//! Every check of every handle, tripped, and the whole message read. Nothing is launched by any of them, and the handle
//! works afterwards.

mod dense;
mod devices;
mod factored;
mod hierarchical_softmax;
mod linear;
mod linear_cross_entropy;
mod rank;
mod slices;
mod softmax_cross_entropy;

/// The message of what went wrong.
fn message(result: oblate::Result<impl std::fmt::Debug>) -> String {
    result.expect_err("a wrong use").to_string()
}

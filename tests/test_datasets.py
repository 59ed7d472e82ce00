"""The data sets: what they hold, where they are found, and what happens when a file is bad."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import struct
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import dualnn as dn
from dualnn.datasets import idx, images
from dualnn.datasets.download import download
from dualnn.datasets.split import stratified

FILES = tuple(images.SOURCES["mnist"].md5)


def idx_bytes(array):
    code = {dtype.newbyteorder("="): code for code, dtype in idx.DTYPES.items()}[array.dtype]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(idx.DTYPES[code]).tobytes()


def small_files():
    """Return the four files of a small data set of 20 and 10 examples, by name."""
    rng = np.random.default_rng(0)
    files = {}
    for part, n in (("train", 20), ("t10k", 10)):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx_bytes(pixels))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx_bytes(labels))
    return files


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The three folders that are looked at, all in a temporary one and empty."""
    monkeypatch.setenv("DUALNN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "SYSTEM_FOLDER", tmp_path / "system")
    return {
        "variable": tmp_path / "data" / "mnist",
        "cache": tmp_path / "cache" / "dualnn" / "mnist",
        "system": tmp_path / "system" / "mnist",
    }


class TestShipped:
    @pytest.mark.parametrize(
        ("load", "shape", "n", "classes"), [("iris", (4,), 150, 3), ("digits", (8, 8, 1), 1797, 10)]
    )
    def test_contents(self, load, shape, n, classes):
        data = getattr(dn.datasets, load)()
        assert data.name == load
        assert data.x_train.shape[1:] == data.x_test.shape[1:] == shape
        assert len(data.x_train) + len(data.x_test) == n
        assert data.x_train.dtype == data.x_test.dtype == np.float32
        assert data.y_train.dtype == data.y_test.dtype == np.int64
        assert len(data.class_names) == classes
        assert set(data.y_train) == set(data.y_test) == set(range(classes))

    def test_iris_is_standardised_by_its_training_examples(self):
        x = dn.datasets.iris().x_train.astype(np.float64)
        # 105 numbers of about 1, each rounded to float32: their mean is off by less than one rounding
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=2**-22)
        np.testing.assert_allclose(x.std(axis=0), 1, atol=2**-22)

    def test_digits_are_in_the_unit_interval(self):
        data = dn.datasets.digits()
        assert data.x_train.min() == 0
        assert data.x_train.max() == 1

    def test_the_split_is_always_the_same(self):
        first, second = dn.datasets.digits(), dn.datasets.digits()
        np.testing.assert_array_equal(first.x_train, second.x_train)
        np.testing.assert_array_equal(first.y_test, second.y_test)
        assert not np.array_equal(first.y_test, dn.datasets.digits(seed=1).y_test)

    def test_unpacks_as_in_keras(self):
        data = dn.datasets.iris()
        (x_train, y_train), (x_test, y_test) = data
        assert x_train is data.x_train
        assert y_train is data.y_train
        assert x_test is data.x_test
        assert y_test is data.y_test

    def test_without_scikit_learn(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn", None)
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        with pytest.raises(
            ImportError, match=r"'iris' comes with scikit-learn.*pip install 'dualnn\[data\]'"
        ):
            dn.datasets.iris()


class TestSplit:
    def test_every_example_is_in_one_part(self):
        labels = np.repeat([0, 1, 2], [50, 30, 20])
        train, test = stratified(labels, test_share=0.2, seed=4)
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(100))
        np.testing.assert_array_equal(np.bincount(labels[test]), [10, 6, 4])

    def test_seeds_differ(self):
        labels = np.zeros(100, dtype=int)
        assert not np.array_equal(stratified(labels, 0.5, seed=1)[1], stratified(labels, 0.5, seed=2)[1])


class TestIdx:
    @pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
    @pytest.mark.parametrize("compress", [bytes, gzip.compress])
    def test_round_trip(self, tmp_path, dtype, compress):
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        path = tmp_path / "array"
        path.write_bytes(compress(idx_bytes(array)))
        read = idx.read(path)
        assert read.dtype == array.dtype
        assert read.dtype.isnative
        np.testing.assert_array_equal(read, array)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "a file that ends within it"),
            (b"\0\0\x08", "a file that ends within it"),
            (b"\0\0\x08\x02\0\0\0\x01", "a file that ends within it"),
            (b"hello", "expected an IDX file.*got 68 65 6c 6c"),
            (b"\0\0\x07\x01\0\0\0\x01\0", "expected an IDX file.*got 00 00 07 01"),
            (b"\0\0\x08\0\0", "expected an IDX file.*got 00 00 08 00"),
            (b"\0\0\x08\xff" + b"\0" * 1020, "expected an IDX file.*got 00 00 08 ff"),
            (b"\0\0\x08\x01\0\0\0\x05abc", "expected 5 bytes of values for shape .5,., got 3"),
            (b"\0\0\x08\x01\0\0\0\x02abc", "expected 2 bytes of values for shape .2,., got more"),
            (b"\0\0\x08\x01\xff\xff\xff\xff", "expected at most 1,073,741,824 bytes"),
            (b"\0\0\x0e\x02\0\0\0\0\xff\xff\xff\xff", "expected at most 1,073,741,824 bytes"),
        ],
    )
    @pytest.mark.parametrize("compress", [bytes, gzip.compress])
    def test_bad_files(self, tmp_path, data, message, compress):
        path = tmp_path / "bad"
        path.write_bytes(compress(data))
        with pytest.raises(ValueError, match=message) as caught:
            idx.read(path)
        assert str(caught.value).startswith(f"{path}: expected ")

    @pytest.mark.parametrize("keep", [3, 12, -12, -4])
    def test_cut_gzip_file(self, tmp_path, keep):
        path = tmp_path / "cut.gz"
        path.write_bytes(gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8)))[:keep])
        with pytest.raises(ValueError, match=r"cut.gz: expected"):
            idx.read(path)

    def test_corrupt_gzip_file(self, tmp_path):
        data = bytearray(gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8))))
        data[40] ^= 0xFF
        path = tmp_path / "corrupt.gz"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"corrupt.gz: expected"):
            idx.read(path)

    @pytest.mark.parametrize("promised", [100, 1 << 30])
    def test_memory_is_bounded(self, tmp_path, promised):
        # 64 MiB of zeros in 64 kB of gzip, after a header that promises less, or far more than there is
        path = tmp_path / "bomb.gz"
        path.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, promised) + bytes(1 << 26)))
        tracemalloc.start()
        with pytest.raises(ValueError, match=f"expected {promised:,} bytes"):
            idx.read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (1 << 20 if promised == 100 else 1 << 28)


class TestImages:
    def test_contents(self, tmp_path):
        data = dn.datasets.mnist(write(tmp_path, small_files()))
        assert data.x_train.shape == (20, 28, 28, 1)
        assert data.x_test.shape == (10, 28, 28, 1)
        assert data.x_train.dtype == np.float32
        assert data.y_train.dtype == np.int64
        assert 0 <= data.x_train.min() < data.x_train.max() <= 1
        assert data.class_names == tuple("0123456789")

    def test_unpacked_files(self, tmp_path):
        packed = dn.datasets.mnist(write(tmp_path / "a", small_files()))
        unpacked = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in small_files().items()}
        plain = dn.datasets.fashion_mnist(write(tmp_path / "b", unpacked))
        np.testing.assert_array_equal(packed.x_train, plain.x_train)
        assert plain.name == "fashion-mnist"
        assert plain.class_names[9] == "Ankle boot"

    @pytest.mark.parametrize("place", ["variable", "cache", "system"])
    def test_folders(self, folders, place):
        write(folders[place], small_files())
        assert len(dn.datasets.mnist().x_train) == 20

    def test_a_folder_that_lacks_a_file_is_passed_over(self, folders):
        files = small_files()
        write(folders["variable"], {name: files[name] for name in FILES[:3]})
        write(folders["system"], files)
        assert len(dn.datasets.mnist().x_train) == 20

    def test_a_named_folder_is_the_only_one(self, folders, tmp_path):
        write(folders["variable"], small_files())
        message = r"'mnist' is not in .*/elsewhere; put its files"
        with pytest.raises(FileNotFoundError, match=message) as caught:
            dn.datasets.mnist(tmp_path / "elsewhere")
        assert all(name in str(caught.value) for name in FILES)
        assert "downloaded" not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "array", "message"),
        [
            (
                FILES[0],
                np.zeros((20, 28, 27), np.uint8),
                r"shape \(n, 28, 28\), got uint8 and \(20, 28, 27\)",
            ),
            (FILES[0], np.zeros((20, 28, 28), np.int16), r"type uint8 .* got int16"),
            (FILES[1], np.zeros(19, np.uint8), r"expected 20 labels .* got uint8 and shape \(19,\)"),
            (FILES[1], np.full(20, 10, np.uint8), "expected labels from 0 to 9, got 10"),
        ],
    )
    def test_files_of_another_kind(self, tmp_path, name, array, message):
        write(tmp_path, {**small_files(), name: idx_bytes(array)})
        with pytest.raises(ValueError, match=message) as caught:
            dn.datasets.mnist(tmp_path)
        assert name in str(caught.value)


class Server:
    """A web server on this machine that serves the given files, or misbehaves as told."""

    def __init__(self, files):
        self.files, self.requests, self.cut, self.silent = files, [], False, False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit("/", 1)[-1]
                outer.requests.append(name)
                if name not in outer.files:
                    self.send_error(404)
                    return
                data = outer.files[name]
                self.send_response(200)
                if not outer.silent:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if outer.cut else data)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    @contextlib.contextmanager
    def running(self):
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files = small_files()
    server = Server(files)
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    monkeypatch.setitem(images.SOURCES, "mnist", images.Source(server.url, md5))
    with server.running():
        yield server


class TestDownload:
    def test_downloads_once(self, server, folders):
        first = dn.datasets.mnist()
        assert sorted(server.requests) == sorted(FILES)
        assert sorted(path.name for path in folders["cache"].iterdir()) == sorted(FILES)
        second = dn.datasets.mnist()
        assert len(server.requests) == len(FILES)
        np.testing.assert_array_equal(first.x_train, second.x_train)

    def test_downloads_what_is_missing_only(self, server, folders):
        write(folders["cache"], {FILES[0]: server.files[FILES[0]]})
        dn.datasets.mnist()
        assert sorted(server.requests) == sorted(FILES[1:])

    @pytest.mark.parametrize("silent", [False, True])
    def test_a_broken_transfer(self, server, folders, silent):
        server.cut, server.silent = True, silent
        reason = "expected MD5" if silent else r"expected [\d,]+ bytes, got [\d,]+"
        with pytest.raises(FileNotFoundError, match=rf"cannot be downloaded .*{reason}"):
            dn.datasets.mnist()
        assert list(folders["cache"].iterdir()) == []

    def test_a_wrong_checksum(self, server, folders):
        server.files[FILES[0]] += b"more"
        with pytest.raises(FileNotFoundError, match=f"{FILES[0]}: expected MD5 .* got "):
            dn.datasets.mnist()
        assert list(folders["cache"].iterdir()) == []

    def test_no_such_file(self, server, folders):
        del server.files[FILES[0]]
        with pytest.raises(FileNotFoundError, match="HTTP Error 404") as caught:
            dn.datasets.mnist()
        assert list(folders["cache"].iterdir()) == []
        # the sentence says which files, and all folders that were looked at
        assert all(name in str(caught.value) for name in FILES)
        assert all(str(folder) in str(caught.value) for folder in folders.values())
        assert "\n" not in str(caught.value)

    def test_no_server(self, server, folders, monkeypatch):
        source = images.Source("http://127.0.0.1:1/", images.SOURCES["mnist"].md5)
        monkeypatch.setitem(images.SOURCES, "mnist", source)
        with pytest.raises(FileNotFoundError, match=r"cannot be downloaded .*refused"):
            dn.datasets.mnist()

    def test_too_large(self, server, tmp_path, monkeypatch):
        monkeypatch.setattr("dualnn.datasets.download.MAX_BYTES", 10)
        with pytest.raises(OSError, match="expected at most 10 bytes, got more"):
            download(server.url + FILES[0], tmp_path / "file", "0" * 32)
        assert list(tmp_path.iterdir()) == []

    def test_a_progress_bar_on_a_terminal(self, server, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        md5 = images.SOURCES["mnist"].md5[FILES[0]]
        download(server.url + FILES[0], tmp_path / "file", md5)
        assert FILES[0] in capsys.readouterr().err

    def test_sources_are_reached_over_https(self):
        assert all(source.url.startswith("https://") for source in images.SOURCES.values())


def test_importing_the_data_sets_imports_no_scikit_learn():
    code = "import sys, dualnn.datasets; assert 'sklearn' not in sys.modules and 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

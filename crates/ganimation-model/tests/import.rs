//! Networks saved by PyTorch are imported unchanged from every layout and container. Damaged and hostile files are
//! refused with one clear reason.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData, Tolerance};
use ganimation_model::import::{Imported, Layout, Network, Reason, import, import_under};
use ganimation_model::weights::FloatFormat;
use ganimation_model::{
    Error, Generator, GeneratorConfig, Result, state_dict, tensors_from_bytes, tensors_to_bytes,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn data(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name)
}

/// PyTorch's results for the networks in the files.
fn expected() -> BTreeMap<String, TensorData> {
    let bytes = fs::read(data("expected.safetensors")).unwrap();
    tensors_from_bytes(&bytes).unwrap().0.into_iter().collect()
}

fn tensor<const D: usize>(data: &TensorData) -> Tensor<D> {
    Tensor::from_data(data.clone(), &Device::flex())
}

/// The only network of a file.
#[track_caller]
fn only(name: &str) -> Imported {
    let [imported] = <[Imported; 1]>::try_from(import(&data(name), &Device::flex()).unwrap()).unwrap();
    imported
}

fn generator(imported: &Imported) -> &Generator {
    match &imported.network {
        Network::Generator(generator) => generator,
        Network::Discriminator(_) => panic!("expected a generator"),
    }
}

#[track_caller]
fn edits_as_pytorch(name: &str, layout: Layout, output: &str) -> Imported {
    let (expected, imported) = (expected(), only(name));
    assert_eq!(imported.layout, layout, "{name}");
    let edit = generator(&imported).edit(tensor(&expected["corner"]), tensor(&expected["aus"]));
    let found = edit.image.into_data();
    found.assert_approx_eq::<f32>(&expected[output], Tolerance::absolute(1e-4));
    imported
}

#[test]
fn generators_of_the_released_layout_give_pytorchs_images() {
    for name in ["released.pth", "released_legacy_module.pth"] {
        let imported = edits_as_pytorch(name, Layout::Released, "released");
        assert_eq!((imported.taken.len(), imported.dropped.len()), (23, 0), "{name}");
    }
    edits_as_pytorch("released_f16.pth", Layout::Released, "f16");
    assert_eq!(only("released_legacy_module.pth").prefix, "module.");
}

#[test]
fn a_stream_of_pytorch_0_3_is_read_without_its_statistics() {
    let imported = edits_as_pytorch("released_03.pth", Layout::Released, "released");
    assert_eq!(imported.dropped.len(), 14);
    let statistics = |(name, reason): &(String, Reason)| {
        (name.ends_with("running_mean") || name.ends_with("running_var"))
            && *reason == Reason::RunningStatistics
    };
    assert!(imported.dropped.iter().all(statistics));
}

#[test]
fn the_replicates_norms_are_filled_in_and_its_biases_dropped() {
    for name in ["replicate.pth", "replicate_legacy.pth"] {
        let imported = edits_as_pytorch(name, Layout::Replicate, "replicate");
        assert_eq!((imported.taken.len(), imported.filled.len()), (9, 14), "{name}");
        let reasons: Vec<_> = imported.dropped.iter().map(|(_, reason)| *reason).collect();
        assert_eq!(reasons, [Reason::BiasBeforeNorm; 7], "{name}");
    }
}

#[test]
fn vipermus_statistics_and_second_names_are_dropped() {
    for name in ["vipermu.pth", "vipermu_legacy.pth"] {
        let imported = edits_as_pytorch(name, Layout::Vipermu, "released");
        for (reason, prefix) in [(Reason::RunningStatistics, "main."), (Reason::Repeated, "debug")] {
            let mut of_reason = imported
                .dropped
                .iter()
                .filter(|(_, found)| *found == reason)
                .peekable();
            assert!(of_reason.peek().is_some(), "{name}: {reason}");
            assert!(
                of_reason.all(|(name, _)| name.starts_with(prefix)),
                "{name}: {reason}"
            );
        }
    }
}

#[test]
fn a_checkpoint_holds_its_network_under_a_key() {
    let imported = edits_as_pytorch("checkpoint.pth", Layout::Released, "released");
    assert_eq!(imported.prefix, "state_dict.");
    let elsewhere =
        |(name, reason): &(String, Reason)| name.starts_with("optimizer.") && *reason == Reason::Elsewhere;
    assert!(!imported.dropped.is_empty() && imported.dropped.iter().all(elsewhere));
}

#[test]
fn what_stands_beside_the_weights_is_skipped_and_a_key_chooses_a_network() {
    let released = only("released.pth");
    for name in ["beside.pth", "beside_legacy.pth"] {
        let several = import(&data(name), &Device::flex()).unwrap_err();
        assert!(
            message(&several).contains("contains two generators: `G` (the released code) and `G_ema`"),
            "{}",
            message(&several)
        );
        for key in ["G", "G_ema"] {
            let imported = import_under(&data(name), Some(key), &Device::flex()).unwrap();
            assert_eq!(imported.len(), 1);
            assert_eq!(imported[0].prefix, format!("{key}."));
            assert_eq!(imported[0].taken.len(), released.taken.len());
            let images = [&imported[0], &released].map(|imported| {
                let face = Tensor::<4>::ones([1, 3, 8, 8], &Device::flex()) * 0.3;
                let aus = Tensor::<2>::ones([1, 17], &Device::flex()) * 0.5;
                let image = generator(imported).edit(face, aus).image;
                image.into_data().try_into_vec::<f32>().unwrap()
            });
            assert_eq!(images[0], images[1]);
        }
        let absent = import_under(&data(name), Some("G_"), &Device::flex()).unwrap_err();
        assert!(
            message(&absent).contains("no network under the key `G_`; there are: G, G_ema"),
            "{}",
            message(&absent)
        );
    }
}

#[test]
fn whole_networks_and_programs_are_named() {
    for (name, expected) in [
        (
            "module.pth",
            "a whole pickled network of the class torch.nn.modules.container.Sequential",
        ),
        ("script.pt", "a TorchScript program"),
    ] {
        let refused = import(&data(name), &Device::flex()).unwrap_err();
        assert!(message(&refused).contains(expected), "{}", message(&refused));
    }
}

#[test]
fn discriminators_judge_as_in_pytorch() {
    let expected = expected();
    for (name, layout) in [
        ("critic_f16.pth", Layout::Released),
        ("critic_replicate_legacy.pth", Layout::Replicate),
    ] {
        let imported = only(name);
        let Network::Discriminator(discriminator) = &imported.network else {
            panic!("{name} holds a discriminator");
        };
        assert_eq!(
            (imported.layout, imported.metadata.image_size),
            (layout, 64),
            "{name}"
        );
        let judgement = discriminator.forward(tensor(&expected["corner"]));
        for (found, name) in [
            (judgement.score.into_data(), "realness"),
            (judgement.aus.into_data(), "read"),
        ] {
            found.assert_approx_eq::<f32>(&expected[name], Tolerance::rel_abs(1e-4, 1e-4));
        }
    }
}

#[test]
fn networks_of_the_papers_size_agree_with_pytorch() {
    let Ok(folder) = std::env::var("GANIMATION_FULL_SIZE") else {
        println!(
            "skipped: GANIMATION_FULL_SIZE is not a folder with the output of make.py (210 megabytes, not stored here)"
        );
        return;
    };
    let folder = PathBuf::from(folder);
    let bytes = fs::read(folder.join("expected.safetensors")).unwrap();
    let expected: BTreeMap<_, _> = tensors_from_bytes(&bytes).unwrap().0.into_iter().collect();
    let faces = || tensor::<4>(&expected["corner"]);
    let compare = |name: &str, found: TensorData| {
        let pairs = || expected[name].iter::<f32>().zip(found.iter::<f32>());
        let norm =
            |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>().sqrt();
        let distance = norm(&mut pairs().map(|(e, f)| e - f)) / norm(&mut pairs().map(|(e, _)| e));
        let largest = pairs().map(|(e, f)| (e - f).abs()).fold(0.0, f32::max);
        println!("{name}: relative difference {distance:.1e}, largest difference {largest:.1e}");
        assert!(distance <= 1e-4, "{name}");
    };
    for network in ["G.pth", "D.pth"] {
        for imported in import(&folder.join(network), &Device::flex()).unwrap() {
            match imported.network {
                Network::Generator(generator) => {
                    compare(
                        "released",
                        generator
                            .edit(faces(), tensor(&expected["aus"]))
                            .image
                            .into_data(),
                    );
                }
                Network::Discriminator(discriminator) => {
                    let judgement = discriminator.forward(faces());
                    compare("realness", judgement.score.into_data());
                    compare("read", judgement.aus.into_data());
                }
            }
        }
    }
}

#[test]
fn safetensors_of_other_programs_are_imported_too() {
    let folder = tempfile::tempdir().unwrap();
    let imported = import(&written(&folder, &tiny(), "a.safetensors"), &Device::flex()).unwrap();
    assert_eq!((imported.len(), imported[0].layout), (1, Layout::Released));
    assert_eq!(imported[0].metadata.image_size, 128);
}

/// The tensors of a small generator, by released name.
fn tiny() -> BTreeMap<String, TensorData> {
    let config = GeneratorConfig::new().with_channels(1).with_blocks(1);
    state_dict(&config.init(&Device::flex())).into_iter().collect()
}

fn written(folder: &TempDir, tensors: &BTreeMap<String, TensorData>, name: &str) -> PathBuf {
    let tensors = tensors.clone().into_iter().collect();
    let path = folder.path().join(name);
    fs::write(&path, tensors_to_bytes(tensors, FloatFormat::F32, None).unwrap()).unwrap();
    path
}

/// The error for a file with these bytes, with its causes, on one line.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    message(&imported(bytes).unwrap_err())
}

fn message(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

fn imported(bytes: &[u8]) -> Result<Vec<Imported>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.pth");
    fs::write(&path, bytes).unwrap();
    import(&path, &Device::flex())
}

/// `bytes` with the first `from` replaced by `to`, which has the same length.
#[track_caller]
fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn every_kind_of_damage_has_its_own_reason() {
    let archive = fs::read(data("released.pth")).unwrap();
    let stream = fs::read(data("released_legacy_module.pth")).unwrap();
    let at = |bytes: &[u8], text: &[u8]| {
        bytes
            .windows(text.len())
            .position(|window| window == text)
            .unwrap()
    };
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x40;
        bytes
    };
    // The first storage's bytes follow its padded header.
    let number = at(&archive, b"data/0") + 200;
    let directory = at(&archive, b"PK\x01\x02");
    let deflated = [&archive[..directory + 10], &[8][..], &archive[directory + 11..]].concat();
    let huge = [
        &archive[..directory + 26],
        &[0x10][..],
        &archive[directory + 27..],
    ]
    .concat();
    let plain = fs::read(data("expected.safetensors")).unwrap();
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("nothing", Vec::new(), "is neither a PyTorch file nor safetensors"),
        (
            "a picture",
            b"GIF89a, say".to_vec(),
            "is neither a PyTorch file nor safetensors",
        ),
        (
            "half an archive",
            archive[..archive.len() / 2].to_vec(),
            "the archive has no end record; the file may be truncated",
        ),
        (
            "half a stream",
            stream[..stream.len() / 2].to_vec(),
            "it ends before its last storage",
        ),
        (
            "half a safetensors file",
            plain[..plain.len() / 2].to_vec(),
            "some.pth: not a safetensors file: incomplete metadata, file not fully covered",
        ),
        (
            "the start of a stream",
            stream[..1000].to_vec(),
            "the file ends too early",
        ),
        (
            "a flipped bit of a weight",
            flipped(&archive, number),
            "the checksum of 0 is wrong",
        ),
        (
            "a flipped bit of a name",
            flipped(&archive, at(&archive, b"main.4.bias")),
            "the checksum of data.pkl is wrong",
        ),
        (
            "a compressed archive",
            deflated,
            "data.pkl is compressed; PyTorch stores uncompressed entries",
        ),
        ("an entry larger than the file", huge, "extends beyond its end"),
        (
            "another name",
            patched(&stream, b"main.4.bias", b"main.4.bios"),
            "lack tensor main.4.bias",
        ),
        (
            "other heads",
            patched(
                &patched(&stream, b"img_reg", b"img_rag"),
                b"attetion_reg",
                b"attention_rg",
            ),
            "are in no known layout: module.attention_rg.0.weight",
        ),
        (
            "code",
            patched(
                &stream,
                b"ctorch._utils\n_rebuild_tensor_v2\n",
                b"cos.utils____\nsystem____________\n"[..].into(),
            ),
            "`os.utils____.system____________` is refused",
        ),
        (
            "a big-endian stream",
            patched(&stream, b"little_endianq\x02\x88", b"little_endianq\x02\x89"),
            "its numbers are big-endian",
        ),
    ];
    for (what, bytes, reason) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(reason), "{what}: {message}");
    }
}

#[test]
fn networks_that_are_not_whole_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |tensors: &BTreeMap<String, TensorData>| {
        message(&import(&written(&folder, tensors, "a.safetensors"), &Device::flex()).unwrap_err())
    };
    let nothing = refusal(&BTreeMap::new());
    assert!(nothing.ends_with("contains no tensors with names"), "{nothing}");
    let mut missing = tiny();
    missing.remove("main.7.weight");
    assert!(
        refusal(&missing).ends_with("the weights lack tensor main.7.weight"),
        "{}",
        refusal(&missing)
    );
    let mut extra = tiny();
    extra.insert("main.1.scale".to_owned(), extra["main.1.bias"].clone());
    assert!(
        refusal(&extra).ends_with("does not have: main.1.scale"),
        "{}",
        refusal(&extra)
    );
    let mut misshapen = tiny();
    misshapen.insert(
        "main.3.weight".to_owned(),
        TensorData::new(vec![0.0_f32; 64], [4, 1, 4, 4]),
    );
    let message = refusal(&misshapen);
    assert!(
        message.ends_with("main.3.weight has shape [4, 1, 4, 4]; the network expects [2, 1, 4, 4]"),
        "{message}"
    );
    let mut infinite = tiny();
    infinite.insert("main.1.bias".to_owned(), TensorData::from([f32::INFINITY]));
    assert!(
        refusal(&infinite).ends_with("tensor main.1.bias contains an infinity or a NaN"),
        "{}",
        refusal(&infinite)
    );
    let mut double = tiny();
    double.extend(
        tiny()
            .into_iter()
            .map(|(name, data)| (format!("ema.{name}"), data)),
    );
    let message = refusal(&double);
    assert!(
        message
            .contains("contains two generators: top level (the released code) and `ema` (the released code)"),
        "{message}"
    );
}

#[test]
fn views_that_stand_for_more_than_the_file_holds_are_refused() {
    // Every name has a tensor of 2^40 elements that share one value, as made by PyTorch's `expand`.
    let shape = "(J\0\0\x01\0J\0\0\x01\0K\x07K\x07t";
    let tensor = format!(
        "ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01tQK\0{shape}(K\0K\0K\0K\0ttR"
    );
    let mut stream = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    stream.extend_from_slice(b"}U\x0dlittle_endian\x88s.}");
    for name in [
        "img_reg.0.weight",
        "main.0.weight",
        "main.3.weight",
        "main.6.weight",
    ] {
        stream.extend_from_slice(format!("S'{name}'\n{tensor}s").as_bytes());
    }
    stream.extend_from_slice(b".]U\x010a.\x01\0\0\0\0\0\0\0\0\0\x80\x3f");
    let message = refusal(&stream);
    assert!(
        message.contains("main.3.weight has shape [65536, 65536, 7, 7]"),
        "{message}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_files_never_panic(
        name in prop::sample::select(&["released_f16.pth", "released_03.pth", "replicate_legacy.pth"][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        early: bool,
    ) {
        let mut bytes = fs::read(data(name)).unwrap();
        // Most bytes of a file are tensor data. Half of the cases change its pickles.
        let until = if early { 3000 } else { bytes.len() };
        for (at, byte) in changes {
            bytes[at.index(until)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = imported(&bytes);
    }
}

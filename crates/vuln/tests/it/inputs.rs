//! Files in, pack out: formats, limits, determinism.

use std::io::Write as _;

use assay_model::Explain as _;
use assay_vuln::{Pack, PackBuilder, SkipReason};

fn record(id: &str, ecosystem: &str) -> String {
    format!(
        r#"{{"id": "{id}", "modified": "2024-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name":
        "a"}}, "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}]}}]}}]}}"#
    )
}

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn json_lines_zip_zstd_and_folders_give_the_same_pack() {
    let records = ["X-1", "X-2", "X-3"].map(|id| record(id, "npm"));
    let lines = records.iter().map(|text| text.replace('\n', " ") + "\n").collect::<String>();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    // Lines in another order, in two files, with a file that is no record beside them.
    let same: Vec<_> = records.iter().map(|text| text.replace('\n', " ")).collect();
    std::fs::write(folder.path().join("b/1.json"), &same[2]).unwrap();
    std::fs::write(folder.path().join("2.jsonl"), format!("{}\n{}\n", same[1], same[0])).unwrap();
    std::fs::write(folder.path().join("README"), "not JSON").unwrap();
    let zip =
        zipped(&[("X-3.json", same[2].as_bytes()), ("X-1.json", same[0].as_bytes()), ("X-2.json", same[1].as_bytes())]);
    let zstd = zstd::stream::encode_all(lines.as_bytes(), 3).unwrap();
    let build = |add: &dyn Fn(&mut PackBuilder)| {
        let mut builder = PackBuilder::new();
        add(&mut builder);
        let (bytes, report) = builder.build();
        assert_eq!(report.records, 3);
        bytes
    };
    let expected = build(&|builder| builder.add_bytes("lines", lines.as_bytes(), None).unwrap());
    assert_eq!(build(&|builder| builder.add_path(folder.path(), None).unwrap()), expected);
    assert_eq!(build(&|builder| builder.add_bytes("zip", &zip, None).unwrap()), expected);
    assert_eq!(build(&|builder| builder.add_bytes("zstd", &zstd, None).unwrap()), expected);
}

#[test]
fn withdrawn_and_older_records_are_dropped_and_counted() {
    let mut builder = PackBuilder::new();
    let withdrawn = r#"{"id": "X-9", "withdrawn": "2024-01-01T00:00:00Z"}"#;
    let newer = record("X-1", "npm").replace("2024-01-01", "2024-02-01");
    builder.add_bytes("a", format!("{withdrawn}\n{newer}\n{}", record("X-1", "npm")).as_bytes(), None).unwrap();
    let (bytes, report) = builder.build();
    assert_eq!((report.read, report.records), (3, 1));
    assert_eq!(report.skipped[&SkipReason::Withdrawn], 1);
    assert_eq!(report.skipped[&SkipReason::Duplicate], 1);
    let pack = Pack::from_bytes(bytes).unwrap();
    assert_eq!(pack.info().data_until.to_string(), "2024-02-01T00:00:00Z");
    assert!(pack.advisory("X-9").unwrap().is_none());
}

#[test]
fn a_withdrawal_takes_back_older_forms_whichever_came_first() {
    let taken_back = r#"{"id": "X-1", "modified": "2024-02-01T00:00:00Z", "withdrawn": "2024-02-01T00:00:00Z"}"#;
    let revived = record("X-1", "npm").replace("2024-01-01", "2024-03-01");
    for (texts, records) in [
        ([record("X-1", "npm"), taken_back.to_owned()], 0),
        ([taken_back.to_owned(), record("X-1", "npm")], 0),
        ([taken_back.to_owned(), revived], 1),
    ] {
        let mut builder = PackBuilder::new();
        builder.add_bytes("a", texts.join("\n").as_bytes(), None).unwrap();
        assert_eq!(builder.build().1.records, records);
    }
}

#[test]
fn a_source_speaks_only_for_the_ecosystems_it_may() {
    let mut builder = PackBuilder::new();
    let records = [record("X-1", "Alpine"), record("X-2", "CleanStart")].join("\n");
    builder.add_bytes("cleanstart", records.as_bytes(), Some(&["CleanStart"])).unwrap();
    let (bytes, report) = builder.build();
    assert_eq!(report.skipped[&SkipReason::EcosystemNotAllowed], 1);
    assert_eq!(Pack::from_bytes(bytes).unwrap().info().ecosystems, ["CleanStart"]);
}

#[test]
fn a_bad_record_is_named_with_its_file_and_line_and_nothing_is_skipped_silently() {
    for (text, code, position) in [
        ("{\"id\": \"X-1\"}\n{\"id\": \"X-2\",}", "osv-json-malformed", "feed.jsonl:2:"),
        ("{\"id\": \"X-1\"}\n\n{\"id\": \"X-2\", \"id\": \"X-3\"}", "osv-record-malformed", "feed.jsonl:3: "),
        ("{\"id\": \"X-1\", \"affected\": {}}", "osv-record-malformed", "feed.jsonl:1: "),
        ("{\"summary\": \"no id\"}", "osv-record-id", "feed.jsonl:1: "),
        ("nonsense", "osv-json-malformed", "feed.jsonl:1:"),
    ] {
        let error = PackBuilder::new().add_bytes("feed.jsonl", text.as_bytes(), None).unwrap_err();
        assert_eq!(error.code(), code, "{text}");
        assert!(error.to_string().starts_with(position), "{error}");
        assert!(error.next_step().is_some());
    }
    let zip = zipped(&[("inner.json", b"{\"id\": 5}")]);
    let error = PackBuilder::new().add_bytes("all.zip", &zip, None).unwrap_err();
    assert!(error.to_string().starts_with("all.zip!inner.json:1: "), "{error}");
    let error = PackBuilder::new().add_path(std::path::Path::new("/nonexistent/feed"), None).unwrap_err();
    assert_eq!(error.code(), "osv-file-unreadable");
}

#[test]
fn a_zip_that_inflates_without_end_is_refused() {
    let zip = zipped(&[("a.json", &vec![b' '; 64 << 20]), ("b.json", &vec![b' '; 64 << 20])]);
    let error = PackBuilder::new().add_bytes("bomb.zip", &zip, None).unwrap_err();
    assert_eq!(error.code(), "osv-file-too-large");
}

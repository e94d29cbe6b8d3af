use proptest::prelude::*;

use super::*;

/// Each image, and the text with `@D` behind each.
fn pinned(text: &str) -> (Vec<String>, String) {
    let file = Dockerfile::parse(text);
    let mut ends: Vec<_> = file.images().iter().map(|image| image.end).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut after = text.to_owned();
    for end in ends.into_iter().rev() {
        after.insert_str(end, "@D");
    }
    (file.images.into_iter().map(|image| image.written).collect(), after)
}

#[test]
fn stages_scratch_and_comments_are_no_images() {
    let text = "# FROM commented\nFROM --platform=linux/amd64 node:22 AS build\nRUN x\nfrom Build\nFROM scratch\n\
                FROM debian:12 # note\n";
    let (found, after) = pinned(text);
    assert_eq!(found, ["node:22", "debian:12"]);
    assert_eq!(after, text.replace("node:22", "node:22@D").replace("debian:12", "debian:12@D"));
}

#[test]
fn the_default_of_an_argument_carries_the_digest() {
    for (text, written, after) in [
        ("ARG BASE=debian:12\nFROM $BASE\n", "debian:12", "ARG BASE=debian:12@D\nFROM $BASE\n"),
        ("ARG V=12\nFROM debian:${V} AS a\n", "debian:12", "ARG V=12@D\nFROM debian:${V} AS a\n"),
        ("ARG V=\"12\" W=1\nFROM debian:$V\n", "debian:12", "ARG V=\"12@D\" W=1\nFROM debian:$V\n"),
        ("ARG R=r.example\nFROM ${R}/debian:12\n", "r.example/debian:12", "ARG R=r.example\nFROM ${R}/debian:12@D\n"),
        ("FROM ${B:-debian:12}\n", "debian:12", "FROM ${B:-debian:12@D}\n"),
        ("ARG B=alpine:3\nFROM ${B:-debian:12}\n", "alpine:3", "ARG B=alpine:3@D\nFROM ${B:-debian:12}\n"),
        ("FROM \"debian:12\"\n", "debian:12", "FROM \"debian:12@D\"\n"),
    ] {
        assert_eq!(pinned(text), (vec![written.to_owned()], after.to_owned()));
    }
}

#[test]
fn a_default_that_ends_several_images_is_left_to_them() {
    let text = "ARG V=1\nFROM a:$V\nFROM b:$V\n";
    assert_eq!(pinned(text).1, "ARG V=1\nFROM a:$V@D\nFROM b:$V@D\n");
    let same = "ARG V=1\nFROM a:$V AS x\nFROM a:$V\n";
    assert_eq!(pinned(same).1, "ARG V=1@D\nFROM a:$V AS x\nFROM a:$V\n");
}

#[test]
fn what_the_build_decides_is_left_alone() {
    for text in [
        "ARG B\nFROM $B\n",
        "FROM a:${V}\n",
        "ARG A=1\nARG B=a:$A\nFROM $B\n",
        "FROM scratch\nARG B=a:1\nFROM $B\n",
        "FROM ${B:+a:1}\n",
        "FROM ${\n",
        "FROM\n",
        "ARG B=scratch\nFROM $B\n",
        "FROM debian\\\n:12\n",
    ] {
        assert_eq!(pinned(text), (Vec::new(), text.to_owned()), "{text}");
    }
}

#[test]
fn continued_lines_and_here_documents_are_read_as_docker_does() {
    let text =
        "FROM --platform=$BUILDPLATFORM \\\n  # why\n  node:22 AS build\nRUN <<EOF\nFROM no:1\nEOF\nFROM debian:12\n";
    assert_eq!(pinned(text).0, ["node:22", "debian:12"]);
    let backtick = "# escape=`\nFROM `\n  a:1\nRUN dir c:\\\nFROM b:1\n";
    assert_eq!(pinned(backtick).0, ["a:1", "b:1"]);
}

#[test]
fn instructions_know_their_flags_words_and_places() {
    let text = "FROM a@sha256:x\nCOPY --from=b --chmod=755 \\\n  one \"two three\" /to/\nCMD [\"a\", \"b c\"]\n";
    let file = Dockerfile::parse(text);
    let copy = &file.instructions[1];
    assert_eq!(copy.flag("chmod").unwrap().value, "755");
    assert_eq!(
        copy.words.iter().map(|word| &text[word.bytes.clone()]).collect::<Vec<_>>(),
        ["one", "\"two three\"", "/to/"]
    );
    assert!(file.instructions[2].is_json);
    assert_eq!(file.instructions[2].words[1].text, "b c");
    assert_eq!(file.frontend, None);
}

#[test]
fn here_documents_hold_the_scripts_of_their_shell_only() {
    let text = "FROM a\nRUN <<EOF\napt-get install x\nEOF\nRUN python3 <<EOF\napt-get install y\nEOF\nRUN bash -e <<-'X' && echo z\n\tsudo a\n\tX\nCOPY <<A <<B /to/\n1\nA\nRUN no\nB\nUSER 1\n";
    let file = Dockerfile::parse(text);
    let names: Vec<_> =
        file.scripts().flat_map(|(_, script)| &script.commands.all).map(super::super::shell::Command::name).collect();
    assert!(names.contains(&"apt-get") && names.contains(&"a"), "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "apt-get").count(), 1);
    assert_eq!(file.instructions.last().unwrap().keyword, "USER");
    assert_eq!(Dockerfile::parse("FROM a\nRUN <<EOF\nx\n").problems.len(), 1);
}

#[test]
fn what_is_no_instruction_is_named() {
    let file = Dockerfile::parse("FROM a\nRUNN x\nONBUILD RUN y\nRUN a && \\\n\n  b\n");
    assert_eq!(file.problems[0].1, "RUNN is no instruction");
    assert!(file.instructions[1].is_trigger);
    assert_eq!(file.instructions[2].scripts[0].commands.all.len(), 2);
}

proptest! {
    #[test]
    fn no_text_panics_and_ends_are_in_it(text in "(FROM|ARG|RUN|ENV|COPY|<<A|\nA\n|[ $={}:\\\\\"\n<a-c-]|\\PC){0,60}") {
        for image in Dockerfile::parse(&text).images() {
            prop_assert!(text.is_char_boundary(image.end));
        }
        let report = lint(&text, &|_| true);
        for finding in report.findings {
            prop_assert!(finding.position.line >= 1 && finding.position.length >= 1);
        }
    }
}

use super::*;

fn names(script: &str) -> Vec<String> {
    let commands = Commands::read(script).all;
    commands.iter().map(|c| c.words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")).collect()
}

fn piped(script: &str) -> bool {
    !Commands::read(script).piped_into_interpreters().is_empty()
}

#[test]
fn commands_are_split_and_unwrapped() {
    assert_eq!(
        names("set -e; apt-get update && apt-get install -y 'a b' \"c\"\\ d # x"),
        ["set -e", "apt-get update", "apt-get install -y a b c d"]
    );
    assert_eq!(names("if test -f x; then sudo -u me A=b make all >log 2>&1; fi"), ["test -f x", "make all", ""]);
    assert_eq!(names("a \\\n  b\nc"), ["a b", "c"]);
    let commands = Commands::read("DEBIAN_FRONTEND=x sudo -E timeout 5 apt-get install y > /tmp/z").all;
    assert_eq!(commands[0].name(), "apt-get");
    assert_eq!(commands[0].wrappers.len(), 2);
    assert_eq!(commands[0].redirections[0].text, "/tmp/z");
    assert!(commands[0].is("apt-get", "install"));
}

#[test]
fn options_are_found_alone_and_among_others() {
    let commands = Commands::read("curl -fsSLk --proto =https --output=x http://a").all;
    assert!(commands[0].has("-k") && commands[0].has("--output") && commands[0].has("-f"));
    assert!(!commands[0].has("-o") && !commands[0].has("--out"));
}

#[test]
fn what_is_fetched_and_run_is_seen_in_every_form() {
    for script in [
        "curl -sSL https://x | sh",
        "wget -qO- https://x | sudo -E bash -",
        "curl x | tee y | python3",
        "bash -c \"$(curl -fsSL https://x)\"",
        "sh -c 'curl x | sh'",
        "bash <(curl -s https://x)",
        "eval \"$(wget -O - x)\"",
        "eval `curl x`",
        "source <(curl x)",
        "curl x |\n bash",
    ] {
        assert!(piped(script), "{script}: {:?}", Commands::read(script));
    }
    for script in [
        "curl x -o y && sh y.sh",
        "curl x | tar xz",
        "curl x | jq . ; bash other.sh",
        "echo sh | grep curl",
        "bash -c 'echo curl'",
        "# curl x | sh",
        "A=$(curl x); bash y",
    ] {
        assert!(!piped(script), "{script}: {:?}", Commands::read(script));
    }
}

#[test]
fn switched_off_checks_are_seen() {
    for script in [
        "curl -k https://x",
        "wget --no-check-certificate https://x",
        "git -c http.sslVerify=false clone x",
        "git config --global http.sslVerify false",
        "pip install --trusted-host pypi.example.com x",
        "npm config set strict-ssl false",
        "export NODE_TLS_REJECT_UNAUTHORIZED=0",
        "GIT_SSL_NO_VERIFY=true git clone x",
    ] {
        assert_eq!(Commands::read(script).unchecked_fetches().len(), 1, "{script}");
    }
    assert!(Commands::read("curl -sSfL https://x; git clone y; export A=0").unchecked_fetches().is_empty());
}

#[test]
fn words_know_where_they_stand() {
    let text = "a 'b c' $(d e)";
    let commands = Commands::read(text);
    let word = |command: usize, at: usize| &text[commands.all[command].words[at].range.clone()];
    assert_eq!((word(0, 1), word(0, 2), word(1, 0)), ("'b c'", "$(d e)", "d"));
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in "[ a-z$(){}'\"`\\\\|&;<>#=\\n-]{0,200}") {
        let commands = Commands::read(&text);
        for command in &commands.all {
            for word in command.words.iter().chain(&command.redirections) {
                proptest::prop_assert!(word.range.start <= word.range.end);
            }
        }
        commands.piped_into_interpreters();
        commands.unchecked_fetches();
    }
}

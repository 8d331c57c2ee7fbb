//! Blocks that are not run: they are parsed, or their form is checked.

use saphyr_parser::Parser;
use serde_json::Value;

pub(crate) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

pub(crate) fn yaml(text: &str) -> Result<(), String> {
    match Parser::new_from_str(text).find_map(Result::err) {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}

pub(crate) fn xml(text: &str) -> Result<(), String> {
    roxmltree::Document::parse(text).map(drop).map_err(|error| error.to_string())
}

/// Checks that a block which is not run does not look like a command that could be run.
pub(crate) fn diagram(text: &str) -> Result<(), String> {
    let commands = ["$ ", "wif-token ", "gcloud ", "# "];
    let is_command = |line: &&str| {
        commands.iter().any(|command| line.starts_with(command)) && !line.contains(['─', '→'])
    };
    match text.lines().find(is_command) {
        Some(line) => Err(format!("{line:?} is a command: use sh, args or console")),
        None => Ok(()),
    }
}

/// Checks that every bracket and quotation mark outside comments is closed.
pub(crate) fn balanced(text: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for line in text.lines().map(without_comment) {
        let mut quote = None;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (Some(_), '\\') if !line.contains(":\\") => drop(chars.next()),
                (Some(mark), _) if mark == c => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '(' | '[' | '{') => open.push(c),
                (None, ')' | ']' | '}') => match (open.pop(), c) {
                    (Some('('), ')') | (Some('['), ']') | (Some('{'), '}') => {}
                    _ => return Err(format!("{c} closes nothing in {line:?}")),
                },
                _ => {}
            }
        }
        if quote.is_some() {
            return Err(format!("a quotation mark is not closed in {line:?}"));
        }
    }
    match open.last() {
        Some(bracket) => Err(format!("{bracket} is not closed")),
        None => Ok(()),
    }
}

fn without_comment(line: &str) -> &str {
    if ["#", "//", "REM ", "rem ", "::"].iter().any(|mark| line.trim_start().starts_with(mark)) {
        return "";
    }
    let end = [" # ", "   #", " // "].iter().filter_map(|mark| line.find(mark)).min();
    end.and_then(|end| line.get(..end)).unwrap_or(line)
}

/// Programs that a Windows administrator runs.
const WINDOWS: &str = "msiexec schtasks icacls winget scoop signtool setspn setx set cd mkdir klist ktpass netsh sc.exe reg \
    certutil sha256sum gcloud gsutil bq terraform dotnet takeown wevtutil where type del copy \
    wif-token if else foreach try catch param return exit";

/// Checks a block for PowerShell or the command prompt: brackets, quotes, and the first word of
/// each statement.
pub(crate) fn administration(text: &str) -> Result<(), String> {
    balanced(text)?;
    let mut continued = false;
    let mut depth = 0_i32;
    for line in text.lines().map(without_comment).filter(|line| !line.trim().is_empty()) {
        let word = line.trim().trim_start_matches("& ").split([' ', '(', '.']).next().unwrap_or("");
        if !continued && depth == 0 && !is_statement(word) {
            return Err(format!("{word:?} is not known: see tests/documents/forms.rs"));
        }
        depth += line.matches(['(', '{', '[']).count() as i32;
        depth -= line.matches([')', '}', ']']).count() as i32;
        continued = line.trim_end().ends_with(['`', '|', '^', ',', '+']);
    }
    Ok(())
}

fn is_statement(word: &str) -> bool {
    let is_cmdlet = word.split_once('-').is_some_and(|(verb, noun)| {
        verb.starts_with(char::is_uppercase) && noun.starts_with(char::is_uppercase)
    });
    let word = word.to_lowercase();
    let is_path = word.contains(":\\wif-token") || word.contains(":/wif-token");
    is_cmdlet
        || is_path
        || word.starts_with(['$', '}', ')', '@', '[', '"', '\''])
        || WINDOWS.split_whitespace().any(|known| known == word || known == format!("{word}.exe"))
}

#[test]
fn forms_are_checked() {
    for (text, ok) in [
        ("$x = @{ a = \"(\" } # )", true),
        ("Get-Thing -Name (1", false),
        ("Get-Thing \"a", false),
        ("frobnicate /x", false),
        ("C:\\wif-token\\wif-token.exe check", true),
    ] {
        assert_eq!(administration(text).is_ok(), ok, "{text}: {:?}", administration(text));
    }
    assert!(diagram("a ──▶ b").is_ok() && diagram("$ wif-token check").is_err());
    assert!(yaml("a: [1").is_err() && yaml("a: 1").is_ok());
}

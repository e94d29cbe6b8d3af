//! What runs, what ran, and who runs it.

use assay_model::Digest;
use assay_store::SignatureState;

use crate::fixture::{at, contents, decision, findings, pod};
use crate::place::{Place, on_both};

on_both!(
    a_sync_replaces_pods_and_closes_intervals,
    clusters_do_not_touch_each_other,
    rows_carry_what_is_known_of_the_image,
    the_zero_day_question_is_answered_from_any_side,
    a_pod_that_reports_the_index_is_found_by_its_platforms,
    what_runs_is_told_by_image_the_most_frequent_first,
);

fn what_runs_is_told_by_image_the_most_frequent_first(place: &Place) {
    let store = place.open();
    let pods =
        [pod("api-1", "api", b"v1", at(0)), pod("web-1", "web", b"v2", at(0)), pod("web-2", "web", b"v2", at(0))];
    store.sync_inventory("east", at(10), &pods).unwrap();
    store.put_findings(Digest::of(b"v1"), Digest::of(b"c"), &findings("CVE-2026-1234")).unwrap();
    let images = store.running_images(10).unwrap();
    let digests: Vec<_> = images.iter().map(|(_, _, digest)| *digest).collect();
    assert_eq!(digests, [Digest::of(b"v2"), Digest::of(b"v1")]);
    assert_eq!(store.running_images(1).unwrap().len(), 1);
    let risks = store.running_risks("east").unwrap();
    assert_eq!(risks.len(), 2, "an image counts once, however many Pods run it");
    let of = |text: &[u8]| risks.iter().find(|own| own.digest == Digest::of(text)).unwrap();
    assert_eq!(of(b"v1").counts.unwrap().critical, 1);
    assert_eq!(of(b"v2").counts, None, "never matched is not zero");
    assert!(of(b"v1").environment.is_some() && store.running_risks("west").unwrap().is_empty());
}

fn a_sync_replaces_pods_and_closes_intervals(place: &Place) {
    let store = place.open();
    let pods = [pod("api-1", "api", b"v1", at(0)), pod("api-2", "api", b"v1", at(5))];
    store.sync_inventory("east", at(10), &pods).unwrap();
    store.sync_inventory("east", at(20), &pods).unwrap();
    let rollouts = store.rollouts(Digest::of(b"v1")).unwrap();
    assert_eq!(rollouts.len(), 1, "one interval, however many Pods and syncs: {rollouts:?}");
    assert_eq!((rollouts[0].since, rollouts[0].until), (at(0), None));

    store.sync_inventory("east", at(30), &[pod("api-3", "api", b"v2", at(25))]).unwrap();
    let rollouts = store.rollouts(Digest::of(b"v1")).unwrap();
    assert_eq!(rollouts[0].until, Some(at(30)));
    let rows = store.inventory().unwrap();
    assert_eq!(rows.iter().map(|row| row.pod.as_str()).collect::<Vec<_>>(), ["api-3"]);
    assert_eq!(rows[0].deployed_at, Some(at(25)));
    let since: Vec<_> = store.rollouts_since(at(25)).unwrap().into_iter().map(|rollout| rollout.digest).collect();
    assert_eq!(since, [Digest::of(b"v2")]);
    assert_eq!(store.clusters().unwrap(), [("east".to_owned(), at(30))]);
}

fn clusters_do_not_touch_each_other(place: &Place) {
    let store = place.open();
    store.sync_inventory("east", at(10), &[pod("api-1", "api", b"v1", at(0))]).unwrap();
    store.sync_inventory("west", at(10), &[pod("api-1", "api", b"v1", at(0))]).unwrap();
    store.sync_inventory("west", at(20), &[]).unwrap();
    let rows = store.inventory().unwrap();
    assert_eq!(rows.iter().map(|row| row.cluster.as_str()).collect::<Vec<_>>(), ["east"]);
}

fn rows_carry_what_is_known_of_the_image(place: &Place) {
    let store = place.open();
    let digest = Digest::of(b"v1");
    store.sync_inventory("east", at(10), &[pod("api-1", "api", b"v1", at(0))]).unwrap();
    let row = store.inventory().unwrap().remove(0);
    assert_eq!(row.vulnerabilities, None, "never matched is not zero");
    assert_eq!(row.signature, SignatureState::None);

    store.put_findings(digest, Digest::of(b"contents"), &findings("CVE-2026-1234")).unwrap();
    let mut admitted = decision(1, true, b"v1");
    admitted.verdict.exceptions = vec![assay_case::ExceptionNote {
        name: "payments-zlib".into(),
        control: "critical-cve".parse().unwrap(),
        ignored: None,
    }];
    store.put_decisions(&[admitted]).unwrap();
    let row = store.inventory().unwrap().remove(0);
    assert_eq!(row.vulnerabilities.unwrap().critical, 1);
    assert_eq!(row.exceptions, ["payments-zlib"]);
    assert_eq!((row.owner.as_deref(), row.kind.as_str()), (Some("team-payments"), "Deployment"));
    assert_eq!(row.environment.unwrap().as_str(), "prod");
}

fn the_zero_day_question_is_answered_from_any_side(place: &Place) {
    let store = place.open();
    store.put_contents(Digest::of(b"v1"), &contents(&[("zlib", "1.2.13")]), at(0)).unwrap();
    store.put_contents(Digest::of(b"v2"), &contents(&[("zlib", "1.3.1")]), at(0)).unwrap();
    store.put_findings(Digest::of(b"v1"), Digest::of(b"c"), &findings("CVE-2026-1234")).unwrap();
    let pods = [pod("api-1", "api", b"v1", at(0)), pod("web-1", "web", b"v2", at(0))];
    store.sync_inventory("east", at(10), &pods).unwrap();
    let by_range = store.who_runs_package("zlib", |found| found.kind == "deb" && found.version < "1.3").unwrap();
    let by_vulnerability = store.who_runs(&store.images_with_vulnerability("CVE-2026-1234").unwrap()).unwrap();
    let by_digest = store.who_runs(&[Digest::of(b"v1")].into()).unwrap();
    assert_eq!(by_range.iter().map(|row| row.workload.as_str()).collect::<Vec<_>>(), ["api"]);
    assert_eq!(by_range, by_vulnerability);
    assert_eq!(by_range, by_digest);
    assert_eq!(store.who_runs_package("zlib", |_| true).unwrap().len(), 2);
    assert!(store.who_runs_package("zli", |_| true).unwrap().is_empty(), "names match whole");
}

fn a_pod_that_reports_the_index_is_found_by_its_platforms(place: &Place) {
    let store = place.open();
    let (index, amd64, arm64) = (Digest::of(b"index"), Digest::of(b"amd64"), Digest::of(b"arm64"));
    for member in [amd64, arm64] {
        store.put_index_member(index, member).unwrap();
        store.put_index_member(index, member).unwrap();
    }
    store.put_findings(amd64, Digest::of(b"contents"), &findings("CVE-2026-1234")).unwrap();
    store.sync_inventory("east", at(10), &[pod("api-1", "api", b"index", at(0))]).unwrap();
    for images in [vec![amd64], vec![arm64], vec![amd64, arm64, index]] {
        let rows = store.who_runs(&images.into_iter().collect()).unwrap();
        assert_eq!(rows.len(), 1, "the container once, whichever platform was asked for");
        assert_eq!(rows[0].digest, Some(index));
        assert_eq!(rows[0].vulnerabilities.unwrap().critical, 1);
    }
    assert!(store.who_runs(&[Digest::of(b"other")].into()).unwrap().is_empty());
}

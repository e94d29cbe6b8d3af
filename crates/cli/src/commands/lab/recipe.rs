//! Images to start an attack from: complete in everything, but for what the attack leaves out or changes.

use assay_model::{Contents, Findings};
use assay_sandbox::sigstore::Identity;
use assay_sandbox::{BuiltImage, ImageBuilder};
use assay_sign::Statement;

use super::services;
use super::stage::{Build, Published, Stage, contents, generator, release_workflow, sbom_statement, scan_statement};
use crate::Result;

/// The team whose images are attacked.
const TEAM: &str = "payments";

/// How an image is made and what is attached to it. Unchanged, it is one that production takes.
pub(crate) struct Recipe {
    name: String,
    environment: &'static str,
    tag: &'static str,
    image: BuiltImage,
    contents: Contents,
    signer: Option<Identity>,
    build: Option<Build>,
    promoted: bool,
}

impl Recipe {
    /// An image of its own, `ENVIRONMENT/payments/NAME:1.0`: built, signed, attested and promoted as it should be.
    pub(crate) fn new(name: &str) -> Result<Self> {
        Self::built(name, &builder(name))
    }

    /// The same of other layers.
    pub(crate) fn built(name: &str, builder: &ImageBuilder) -> Result<Self> {
        let image = builder.build();
        let contents = contents(&image)?;
        Ok(Self {
            name: name.to_owned(),
            environment: "prod",
            tag: "1.0",
            image,
            contents,
            signer: Some(release_workflow(TEAM)),
            build: Some(Build::of(TEAM)),
            promoted: true,
        })
    }

    /// The same as an index of several platforms.
    #[must_use]
    pub(crate) fn index(mut self, images: &[BuiltImage]) -> Self {
        self.image = BuiltImage::index(images);
        self
    }

    /// Under another tag.
    #[must_use]
    pub(crate) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// Signed by somebody else; SBOM, scan and provenance stay what they are.
    #[must_use]
    pub(crate) fn signed_by(mut self, identity: Identity) -> Self {
        self.signer = Some(identity);
        self
    }

    /// Not signed; SBOM, scan and provenance stay what they are.
    #[must_use]
    pub(crate) fn unsigned(mut self) -> Self {
        self.signer = None;
        self
    }

    /// With provenance of another build.
    #[must_use]
    pub(crate) fn built_from(mut self, build: Build) -> Self {
        self.build = Some(build);
        self
    }

    /// Without provenance.
    #[must_use]
    pub(crate) fn without_provenance(mut self) -> Self {
        self.build = None;
        self
    }

    /// In the folder of another environment, and promoted nowhere.
    #[must_use]
    pub(crate) fn not_promoted_from(mut self, environment: &'static str) -> Self {
        self.environment = environment;
        self.promoted = false;
        self
    }

    /// What was built.
    pub(crate) fn image(&self) -> &BuiltImage {
        &self.image
    }

    /// Pushes it and attaches everything.
    pub(crate) async fn publish(self, stage: &Stage) -> Result<Published> {
        let path = format!("{}/{TEAM}/{}", self.environment, self.name);
        let image = stage.push(&path, self.tag, &self.image).await?;
        self.attach(stage, &image).await?;
        if self.promoted {
            stage.enter_as_promoted(&self.name, &image)?;
        }
        Ok(image)
    }

    /// Pushes it to the registry that plays Docker Hub, with everything. Gives its name there.
    pub(crate) async fn publish_on_docker_hub(self, stage: &Stage) -> Result<String> {
        let path = format!("{TEAM}/{}", self.name);
        let image = stage.push_public(&path, self.tag, &self.image).await?;
        self.attach(stage, &image).await?;
        stage.enter_as_promoted(&self.name, &image)?;
        Ok(format!("docker.io/{path}@{}", image.digest()))
    }

    async fn attach(&self, stage: &Stage, image: &Published) -> Result<()> {
        let (digest, now) = (image.digest(), stage.clock.now());
        let release = release_workflow(TEAM);
        let sbom = sbom_statement(&image.repository, &digest, &self.contents, now)?;
        let scan = scan_statement(&digest, &nothing_found(stage, now))?;
        let mut statements = vec![(release.clone(), sbom), (release, scan)];
        if let Some(signer) = &self.signer {
            statements.push((signer.clone(), Statement::image_signature(&digest)));
        }
        if let Some(build) = &self.build {
            statements.push((generator(TEAM), build.statement(&digest, now)?));
        }
        for (identity, statement) in statements {
            let bundle = stage.sign(&identity, &statement).await?;
            stage.attach(&image.repository, &image.descriptor, &bundle).await?;
        }
        Ok(())
    }
}

/// The layers of an image of its own.
pub(crate) fn builder(name: &str) -> ImageBuilder {
    services::base().layer([(format!("opt/{name}/README"), format!("{name}\n"), 0o644)])
}

/// What the workflow's scanner says. The Gate does not rely on it: it matches itself.
fn nothing_found(stage: &Stage, now: assay_model::Timestamp) -> Findings {
    Findings { vulnerabilities: Vec::new(), matched_at: now, pack: stage.facts.pack(), uncovered: 0 }
}

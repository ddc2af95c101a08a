// Verifies with the libraries of sigstore-js, whose own command line takes no trusted root:
//
//   node verify.mjs LIBRARIES TRUSTED_ROOT BUNDLE IDENTITY ISSUER FILE
//
// Exit 0 when FILE was signed by IDENTITY, who signed in at ISSUER. LIBRARIES is the folder
// that holds node_modules.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [libraries, trustedRootFile, bundleFile, identity, issuer, file] = process.argv.slice(2);
const require = createRequire(join(resolve(libraries), 'package.json'));
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

try {
  const artifact = readFileSync(file);
  const bundle = bundleFromJSON(json(bundleFile));
  const trust = toTrustMaterial(TrustedRoot.fromJSON(json(trustedRootFile)));
  // The library takes the identity for an unanchored pattern.
  const exactly = new RegExp(`^${identity.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
  new Verifier(trust).verify(toSignedEntity(bundle, artifact), {
    subjectAlternativeName: exactly,
    extensions: { issuer },
  });
  // The library does not look into a statement: that its subject is the artifact is
  // the caller's own check.
  if (bundle.content.$case === 'dsseEnvelope') {
    const { subject = [] } = JSON.parse(bundle.content.dsseEnvelope.payload.toString('utf8'));
    const sha256 = createHash('sha256').update(artifact).digest('hex');
    if (!subject.some(({ digest }) => digest?.sha256 === sha256)) {
      throw new Error('no subject of the statement is the artifact');
    }
  }
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`);
  process.exit(1);
}

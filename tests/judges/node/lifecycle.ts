// The life of a credential, with the types that openapi-typescript generates and the client openapi-fetch.
// Arguments: the address of a running regcred. The token is in the variable TOKEN. Prints the steps as JSON.

import createClient from "openapi-fetch";
import type { paths } from "./api";

const account_id = "judged-typescript";
const image = "registry.example.com/acme/shop:1.4";

function login(password: string) {
  return { kind: "username_password" as const, username: "octo", password };
}

async function main(address: string): Promise<Record<string, unknown>> {
  const client = createClient<paths>({
    baseUrl: address,
    headers: { Authorization: `Bearer ${process.env.TOKEN}` },
  });
  const steps: Record<string, unknown> = {};
  const credentials = "/v1/accounts/{account_id}/credentials";
  const one = "/v1/accounts/{account_id}/credentials/{credential_id}";

  let credential_id = "";
  let position = "";
  for (const name of ["first", "second"]) {
    const added = await client.POST(credentials, {
      params: { path: { account_id }, header: { "Idempotency-Key": `add-${name}` } },
      body: { name, provider: "custom", registry_url: "registry.example.com", credential: login("one") },
    });
    steps[`add ${name}`] = added.response.status;
    credential_id = added.data?.id ?? "";
    position = added.response.headers.get("Regcred-Position") ?? "";
  }
  const path = { account_id, credential_id };
  const read = await client.GET(one, { params: { path, header: { "Regcred-Wait-For": position } } });
  steps.read = [read.response.status, read.data?.name, read.data?.scope.pull];
  const stale = await client.PATCH(one, {
    params: { path, header: { "If-Match": '"7"' } },
    body: { name: "renamed" },
  });
  steps.stale = [stale.response.status, stale.error?.code];
  const etag = (from: { response: Response }) => ({ "If-Match": from.response.headers.get("ETag") ?? "" });
  const changed = await client.PATCH(one, { params: { path, header: etag(read) }, body: { name: "renamed" } });
  steps.change = [changed.response.status, changed.data?.name];
  const rotated = await client.PUT(`${one}/secret`, {
    params: { path, header: etag(changed) },
    body: { credential: login("two") },
  });
  steps.rotate = [rotated.response.status, rotated.data?.secret_version];
  const restricted = await client.PUT(`${one}/restrictions`, {
    params: { path, header: etag(rotated) },
    body: { restricted: true, projects: ["shop"] },
  });
  steps.restrict = [restricted.response.status, restricted.data?.restrictions.projects];
  const resolved = await client.POST("/v1/accounts/{account_id}/resolutions", {
    params: { path: { account_id } },
    body: { image, project_id: "shop" },
  });
  steps.resolve = [resolved.response.status, resolved.data?.selected?.credential_id === credential_id];
  const issued = await client.POST("/v1/accounts/{account_id}/pull-secrets", {
    params: { path: { account_id } },
    body: {
      images: [image],
      project_id: "shop",
      workload: { kind: "deployment", name: "web" },
      format: "docker_config",
    },
  });
  steps["pull secret"] = [issued.response.status, Object.keys(Object(issued.data?.docker_config?.auths))];
  const header = { "Regcred-Wait-For": restricted.response.headers.get("Regcred-Position") ?? "" };
  const names: (string | undefined)[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await client.GET(credentials, {
      params: { path: { account_id }, query: { limit: 1, ...(cursor ? { cursor } : {}) }, header },
    });
    names.push(...(page.data?.items ?? []).map((item) => item.name));
    cursor = page.data?.next_cursor;
  } while (cursor);
  steps.list = names;
  const used = await client.DELETE(one, { params: { path, header: etag(restricted) } });
  steps.remove = [used.response.status, used.error?.code];
  const removed = await client.DELETE(one, {
    params: { path, header: etag(restricted), query: { force: true, reason: "judged" } },
  });
  steps.force = removed.response.status;
  return steps;
}

main(process.argv[2] ?? "").then((steps) => console.log(JSON.stringify(steps)));

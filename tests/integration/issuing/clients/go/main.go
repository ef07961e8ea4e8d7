// Looks up logins as the kubelet, Kubernetes controllers, crane and oras do, with their own libraries. Standard input is a JSON
// list of lookups, standard output the list of the usernames found. The username of an anonymous pull is empty.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
	"k8s.io/kubernetes/pkg/util/parsers"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

type lookup struct {
	Client string          `json:"client"`
	Image  string          `json:"image"`
	Secret json.RawMessage `json:"secret"` // a Docker configuration, or a Secret of Kubernetes
}

func main() {
	home, err := os.MkdirTemp("", "lookups")
	check(err)
	defer os.RemoveAll(home)
	check(os.Setenv("HOME", home))
	check(os.Setenv("DOCKER_CONFIG", home))
	var lookups []lookup
	check(json.NewDecoder(os.Stdin).Decode(&lookups))
	found := []string{}
	for _, asked := range lookups {
		username, err := asked.username(home)
		if err != nil {
			log.Fatalf("%s %s: %v", asked.Client, asked.Image, err)
		}
		found = append(found, username)
	}
	check(json.NewEncoder(os.Stdout).Encode(found))
}

func (l lookup) username(folder string) (string, error) {
	config := filepath.Join(folder, "config.json")
	switch l.Client {
	case "crane":
		if err := os.WriteFile(config, l.Secret, 0o600); err != nil {
			return "", err
		}
		return resolved(authn.DefaultKeychain, l.Image)
	case "keyring":
		var secret corev1.Secret
		if err := json.Unmarshal(l.Secret, &secret); err != nil {
			return "", err
		}
		keychain, err := kubernetes.NewFromPullSecrets(context.Background(), []corev1.Secret{secret})
		if err != nil {
			return "", err
		}
		return resolved(keychain, l.Image)
	case "kubelet":
		var secret corev1.Secret
		if err := json.Unmarshal(l.Secret, &secret); err != nil {
			return "", err
		}
		keyring, err := secrets.MakeDockerKeyring([]corev1.Secret{secret}, &credentialprovider.BasicDockerKeyring{})
		if err != nil {
			return "", err
		}
		repository, _, _, err := parsers.ParseImageName(l.Image)
		if err != nil {
			return "", err
		}
		found, _ := keyring.Lookup(repository)
		if len(found) == 0 {
			return "", nil
		}
		return found[0].Username, nil // the first one that the kubelet tries
	case "oras":
		if err := os.WriteFile(config, l.Secret, 0o600); err != nil {
			return "", err
		}
		store, err := credentials.NewFileStore(config)
		if err != nil {
			return "", err
		}
		reference, err := registry.ParseReference(l.Image)
		if err != nil {
			return "", err
		}
		credential, err := credentials.Credential(store)(context.Background(), reference.Host())
		return credential.Username, err
	}
	return "", fmt.Errorf("unknown client")
}

func resolved(keychain authn.Keychain, image string) (string, error) {
	reference, err := name.ParseReference(image)
	if err != nil {
		return "", err
	}
	authenticator, err := keychain.Resolve(reference.Context())
	if err != nil {
		return "", err
	}
	login, err := authenticator.Authorization()
	if err != nil {
		return "", err
	}
	return login.Username, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

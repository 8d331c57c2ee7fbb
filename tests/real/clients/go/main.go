// A real client without any credential file: golang.org/x/oauth2/google, and cloud.google.com/go/compute/metadata below it, which
// find the metadata server of their environment.
//
//	go-client access | identity AUDIENCE | values
//
// Prints {"access_token": …}, {"id_token": …} or what the server says about its host; an error goes to stderr as the library words
// it, exit status 1. https://pkg.go.dev/golang.org/x/oauth2/google#FindDefaultCredentials
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2/google"
)

func main() {
	found, err := run(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func run(mode string, more []string) (map[string]string, error) {
	switch mode {
	case "identity":
		// As google.golang.org/api/idtoken asks on a Compute Engine host.
		token, err := metadata.Get("instance/service-accounts/default/identity?" + url.Values{"audience": more, "format": {"full"}}.Encode())
		return map[string]string{"id_token": token}, err
	case "values":
		return values()
	default:
		return access()
	}
}

func access() (map[string]string, error) {
	credentials, err := google.FindDefaultCredentials(context.Background(), "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		return nil, err
	}
	token, err := credentials.TokenSource.Token()
	if err != nil {
		return nil, err
	}
	return map[string]string{"access_token": token.AccessToken, "project": credentials.ProjectID}, nil
}

func values() (map[string]string, error) {
	found := map[string]string{"on": fmt.Sprint(metadata.OnGCE())}
	for name, read := range map[string]func() (string, error){
		"project": metadata.ProjectID,
		"number":  metadata.NumericProjectID,
		"email":   func() (string, error) { return metadata.Email("default") },
		"scopes": func() (string, error) {
			scopes, err := metadata.Scopes("default")
			return fmt.Sprint(scopes), err
		},
	} {
		value, err := read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found[name] = value
	}
	return found, nil
}

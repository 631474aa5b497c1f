// Command certs writes a cluster's certificate authority and the key pairs that it signs, since Python's standard library
// has no X.509. It reads {"directory": ..., "pairs": [{"name", "commonName", "organizations", "addresses"}]} from standard
// input and writes ca.crt, ca.key, NAME.crt, NAME.key and the service accounts' sa.key and sa.pub. A pair with addresses
// may serve, every pair may be shown as a client. Keys are P-256, the files valid for ten years, keys readable by their owner only.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type pair struct {
	Name          string   `json:"name"`
	CommonName    string   `json:"commonName"`
	Organizations []string `json:"organizations"`
	Addresses     []string `json:"addresses"`
}

type request struct {
	Directory string `json:"directory"`
	Pairs     []pair `json:"pairs"`
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatalf("certs: %v", err)
	}
	return value
}

func write(directory, name, kind string, der []byte, mode os.FileMode) {
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(filepath.Join(directory, name), data, mode); err != nil {
		log.Fatalf("certs: %v", err)
	}
}

func template(subject pkix.Name) *x509.Certificate {
	serial := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)))
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               subject,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

func newKey(directory, name string) *ecdsa.PrivateKey {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	write(directory, name+".key", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)), 0o600)
	return key
}

func main() {
	log.SetFlags(0)
	var wanted request
	if err := json.NewDecoder(os.Stdin).Decode(&wanted); err != nil {
		log.Fatalf("certs: the request on standard input is not valid JSON: %v", err)
	}
	directory := wanted.Directory
	if err := os.MkdirAll(directory, 0o700); err != nil {
		log.Fatalf("certs: %v", err)
	}

	caKey := newKey(directory, "ca")
	ca := template(pkix.Name{CommonName: "videojob-local-ca"})
	ca.IsCA = true
	ca.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der := must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))
	write(directory, "ca.crt", "CERTIFICATE", der, 0o644)
	ca = must(x509.ParseCertificate(der))

	for _, item := range wanted.Pairs {
		leaf := template(pkix.Name{CommonName: item.CommonName, Organization: item.Organizations})
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		for _, address := range item.Addresses {
			if ip := net.ParseIP(address); ip != nil {
				leaf.IPAddresses = append(leaf.IPAddresses, ip)
			} else {
				leaf.DNSNames = append(leaf.DNSNames, address)
			}
		}
		if len(item.Addresses) > 0 {
			leaf.ExtKeyUsage = append(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		}
		key := newKey(directory, item.Name)
		write(directory, item.Name+".crt", "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)), 0o644)
	}

	accounts := newKey(directory, "sa")
	write(directory, "sa.pub", "PUBLIC KEY", must(x509.MarshalPKIXPublicKey(accounts.Public())), 0o644)
}

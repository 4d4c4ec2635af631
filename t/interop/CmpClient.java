/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A CMP client made of Bouncy Castle, for what `openssl cmp` cannot do:
 * several requests in a message, PBMAC1, nested messages, controls, hashAlg
 * in certConf.
 *
 *     java CmpClient COMMAND NAME=VALUE...
 *
 *     url, root        the server, and the root that it is trusted by
 *     ref, secret      a shared secret
 *     racert, rakey    of an RA
 *     subject          the name that is asked for (CN=NAME)
 *     count            of requests (several)
 *     mac              pbm or pbmac1
 *     token            a registration token (regtoken)
 *     hash             of the certConf (hashalg): SHA-256, SHA-512
 *     serial           in oldCertID (kur): good or bad
 *
 * One line is printed for each status, "BODY ID STATUS BITS TEXT", and one,
 * "failed: ...", with exit code 1 for what an answer should not be.  Of each
 * answer the protection, the path to the root, the transactionID, the nonces
 * and the version are checked; of each certificate the name, the key and the
 * path.
 */

import java.io.FileReader;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.cmp.CMPObjectIdentifiers;
import org.bouncycastle.asn1.cmp.CertConfirmContent;
import org.bouncycastle.asn1.cmp.CertRepMessage;
import org.bouncycastle.asn1.cmp.CertResponse;
import org.bouncycastle.asn1.cmp.CertStatus;
import org.bouncycastle.asn1.cmp.ErrorMsgContent;
import org.bouncycastle.asn1.cmp.GenMsgContent;
import org.bouncycastle.asn1.cmp.GenRepContent;
import org.bouncycastle.asn1.cmp.InfoTypeAndValue;
import org.bouncycastle.asn1.cmp.PKIBody;
import org.bouncycastle.asn1.cmp.PKIHeader;
import org.bouncycastle.asn1.cmp.PKIMessage;
import org.bouncycastle.asn1.cmp.PKIMessages;
import org.bouncycastle.asn1.cmp.PKIStatus;
import org.bouncycastle.asn1.cmp.PKIStatusInfo;
import org.bouncycastle.asn1.crmf.CertId;
import org.bouncycastle.asn1.crmf.CertReqMessages;
import org.bouncycastle.asn1.crmf.CertReqMsg;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PBMAC1Params;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.cmp.CertificateConfirmationContentBuilder;
import org.bouncycastle.cert.cmp.GeneralPKIMessage;
import org.bouncycastle.cert.cmp.ProtectedPKIMessage;
import org.bouncycastle.cert.cmp.ProtectedPKIMessageBuilder;
import org.bouncycastle.cert.crmf.CertificateRequestMessageBuilder;
import org.bouncycastle.cert.crmf.Control;
import org.bouncycastle.cert.crmf.PKMACBuilder;
import org.bouncycastle.cert.crmf.RegTokenControl;
import org.bouncycastle.cert.crmf.jcajce.JcePKMACValuesCalculator;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.GenericKey;
import org.bouncycastle.operator.MacCalculator;
import org.bouncycastle.operator.PBEMacCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.pkcs.jcajce.JcePBMac1CalculatorBuilder;
import org.bouncycastle.pkcs.jcajce.JcePBMac1CalculatorProviderBuilder;


public class CmpClient {

    static final String[] BITS = {
        "badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId",
        "badDataFormat", "wrongAuthority", "incorrectData",
        "missingTimeStamp", "badPOP", "certRevoked", "certConfirmed",
        "wrongIntegrity", "badRecipientNonce", "timeNotAvailable",
        "unacceptedPolicy", "unacceptedExtension", "addInfoNotAvailable",
        "badSenderNonce", "badCertTemplate", "signerNotTrusted",
        "transactionIdInUse", "unsupportedVersion", "notAuthorized",
        "systemUnavail", "systemFailure", "duplicateCertReq"
    };

    static final String[] STATUS = {
        "accepted", "grantedWithMods", "rejection", "waiting",
        "revocationWarning", "revocationNotification", "keyUpdateWarning"
    };

    static final SecureRandom random = new SecureRandom();
    static final Map<String, String> options = new HashMap<>();

    static X509CertificateHolder root;


    static class Failure extends RuntimeException {

        static final long serialVersionUID = 1;


        Failure(String text) {
            super(text);
        }
    }


    static void check(boolean right, String text) {
        if (!right) {
            throw new Failure(text);
        }
    }


    static byte[] fresh() {
        byte[] bytes = new byte[16];

        random.nextBytes(bytes);

        return bytes;
    }


    /* --- keys and certificates --- */

    static X509CertificateHolder certificate(String file) throws Exception {
        try (PEMParser parser = new PEMParser(new FileReader(file))) {
            return (X509CertificateHolder) parser.readObject();
        }
    }


    static PrivateKey privateKey(String file) throws Exception {
        try (PEMParser parser = new PEMParser(new FileReader(file))) {
            PrivateKeyInfo info = (PrivateKeyInfo) parser.readObject();
            String oid = info.getPrivateKeyAlgorithm().getAlgorithm().getId();

            return KeyFactory.getInstance(oid, "BC").generatePrivate(
                       new PKCS8EncodedKeySpec(info.getEncoded()));
        }
    }


    static KeyPair newKey(int n) throws Exception {
        KeyPairGenerator generator;

        switch (n % 3) {

        case 0:
            generator = KeyPairGenerator.getInstance("EC", "BC");
            generator.initialize(new ECGenParameterSpec("P-256"));
            break;

        case 1:
            generator = KeyPairGenerator.getInstance("Ed25519", "BC");
            break;

        default:
            generator = KeyPairGenerator.getInstance("RSA", "BC");
            generator.initialize(2048);
        }

        return generator.generateKeyPair();
    }


    static ContentSigner signer(PrivateKey key) throws Exception {
        String name = key.getAlgorithm();

        if (name.startsWith("EC")) {
            name = "SHA256withECDSA";

        } else if (name.equals("RSA")) {
            name = "SHA256withRSA";
        }

        return new JcaContentSignerBuilder(name).setProvider("BC").build(key);
    }


    static ContentVerifierProvider verifier(X509CertificateHolder cert)
        throws Exception
    {
        return new JcaContentVerifierProviderBuilder().setProvider("BC")
                   .build(cert);
    }


    static boolean issued(X509CertificateHolder issuer,
        X509CertificateHolder cert) throws Exception
    {
        return issuer.getSubject().equals(cert.getIssuer())
               && issuer.isValidOn(new Date())
               && cert.isSignatureValid(verifier(issuer));
    }


    /* a path to the root through the certificates that came along */

    static void checkPath(X509CertificateHolder cert,
        X509CertificateHolder[] others) throws Exception
    {
        X509CertificateHolder next = cert;

        for (int depth = 0; depth < 8; depth++) {
            if (issued(root, next)) {
                return;
            }

            X509CertificateHolder issuer = null;

            for (X509CertificateHolder other : others) {
                if (!other.equals(next) && issued(other, next)) {
                    issuer = other;
                    break;
                }
            }

            check(issuer != null, "no issuer of " + next.getSubject());
            next = issuer;
        }

        throw new Failure("no path for " + cert.getSubject());
    }


    static byte[] keyId(X509CertificateHolder cert) {
        return SubjectKeyIdentifier.fromExtensions(cert.getExtensions())
                   .getKeyIdentifier();
    }


    /*
     * Bouncy Castle 1.72 derives the key by PBKDF2 and then names PBES2 as the
     * key derivation function; others refuse that.
     */

    static class Pbmac1 implements MacCalculator {
        MacCalculator  calculator;


        Pbmac1(MacCalculator calculator) {
            this.calculator = calculator;
        }


        public AlgorithmIdentifier getAlgorithmIdentifier() {
            AlgorithmIdentifier alg = calculator.getAlgorithmIdentifier();
            PBMAC1Params params
                = PBMAC1Params.getInstance(alg.getParameters());

            return new AlgorithmIdentifier(alg.getAlgorithm(),
                new PBMAC1Params(new AlgorithmIdentifier(
                    PKCSObjectIdentifiers.id_PBKDF2,
                    params.getKeyDerivationFunc().getParameters()),
                params.getMessageAuthScheme()));
        }


        public OutputStream getOutputStream() {
            return calculator.getOutputStream();
        }


        public byte[] getMac() {
            return calculator.getMac();
        }


        public GenericKey getKey() {
            return calculator.getKey();
        }
    }


    /* --- messages: one party in one transaction --- */

    static class Party {
        int                    pvno = PKIHeader.CMP_2000;
        String                 ref;
        char[]                 secret;
        boolean                pbmac1;
        X509CertificateHolder  cert;
        PrivateKey             key;

        byte[]                 transaction = fresh();
        byte[]                 nonce;
        byte[]                 answerNonce;


        static Party mac() {
            Party party = new Party();

            party.ref = options.get("ref");
            party.secret = options.get("secret").toCharArray();
            party.pbmac1 = "pbmac1".equals(options.get("mac"));

            return party;
        }


        static Party ra() throws Exception {
            return signed(certificate(options.get("racert")),
                          privateKey(options.get("rakey")));
        }


        static Party signed(X509CertificateHolder cert, PrivateKey key) {
            Party party = new Party();

            party.cert = cert;
            party.key = key;

            return party;
        }


        PKIMessage message(int type, ASN1Encodable content)
            throws Exception
        {
            X500Name name = cert != null ? cert.getSubject()
                                         : new X500Name("CN=" + ref);
            ProtectedPKIMessageBuilder builder
                = new ProtectedPKIMessageBuilder(pvno, new GeneralName(name),
                      new GeneralName(root.getSubject()));

            if (nonce == null || type != PKIBody.TYPE_NESTED) {
                nonce = fresh();
            }

            builder.setTransactionID(transaction);
            builder.setSenderNonce(nonce);
            builder.setMessageTime(new Date());
            builder.setBody(new PKIBody(type, content));

            if (answerNonce != null) {
                builder.setRecipNonce(answerNonce);
            }

            if (cert == null) {
                builder.setSenderKID(ref.getBytes("UTF-8"));
                return builder.build(calculator()).toASN1Structure();
            }

            builder.setSenderKID(keyId(cert));
            builder.addCMPCertificate(cert);

            return builder.build(signer(key)).toASN1Structure();
        }


        MacCalculator calculator() throws Exception {
            if (pbmac1) {
                return new Pbmac1(
                    new JcePBMac1CalculatorBuilder("HmacSHA256", 256)
                        .setPrf(JcePBMac1CalculatorBuilder.PRF_SHA256)
                        .setIterationCount(5000).setSaltLength(16)
                        .setProvider("BC").build(secret));
            }

            PKMACBuilder builder = new PKMACBuilder(
                new JcePKMACValuesCalculator().setProvider("BC"));

            return builder.setIterationCount(1000).build(secret);
        }


        /* an answer to the last message of this party */

        PKIMessage accept(PKIMessage answer) throws Exception {
            PKIHeader header = answer.getHeader();

            check(header.getPvno().intValueExact() == pvno, "pvno");
            check(same(header.getTransactionID(), transaction),
                  "transactionID");
            check(same(header.getRecipNonce(), nonce), "recipNonce");
            check(header.getSenderNonce() != null
                  && header.getSenderNonce().getOctets().length >= 16,
                  "senderNonce is too short");
            check(!same(header.getSenderNonce(), nonce)
                  && !same(header.getSenderNonce(), answerNonce),
                  "senderNonce is not fresh");
            check(header.getMessageTime() != null
                  && Math.abs(header.getMessageTime().getDate().getTime()
                              - System.currentTimeMillis()) < 60000,
                  "messageTime");

            GeneralPKIMessage general = new GeneralPKIMessage(answer);

            check(general.hasProtection(), "no protection");

            ProtectedPKIMessage message = new ProtectedPKIMessage(general);

            /* a refusal comes before the MAC is verified, or without it */

            if (cert == null && !signedError(message)) {
                checkMac(message);

            } else {
                checkSignature(message);
            }

            answerNonce = header.getSenderNonce().getOctets();

            return answer;
        }


        boolean signedError(ProtectedPKIMessage message) {
            return message.getBody().getType() == PKIBody.TYPE_ERROR
                   && message.getCertificates().length > 0;
        }


        void checkMac(ProtectedPKIMessage message) throws Exception {
            PBEMacCalculatorProvider provider;
            ASN1ObjectIdentifier oid = message.getHeader().getProtectionAlg()
                                           .getAlgorithm();

            if (pbmac1) {
                check(oid.equals(PKCSObjectIdentifiers.id_PBMAC1),
                      "the answer has no PBMAC1");
                provider = new JcePBMac1CalculatorProviderBuilder()
                               .setProvider("BC").build();

            } else {
                check(message.hasPasswordBasedMacProtection(),
                      "the answer has no PasswordBasedMac");
                provider = new PKMACBuilder(
                    new JcePKMACValuesCalculator().setProvider("BC"));
            }

            check(message.verify(provider, secret), "MAC of the answer");
            check(same(message.getHeader().getSenderKID(),
                       ref.getBytes("UTF-8")), "senderKID of the answer");
        }


        void checkSignature(ProtectedPKIMessage message) throws Exception {
            X509CertificateHolder[] certs = message.getCertificates();

            check(certs.length > 0, "no extraCerts");
            check(message.verify(verifier(certs[0])),
                  "signature of the answer");
            check(message.getHeader().getSender().equals(
                      new GeneralName(certs[0].getSubject())),
                  "sender of the answer");
            check(same(message.getHeader().getSenderKID(), keyId(certs[0])),
                  "senderKID of the answer");
            checkPath(certs[0], certs);
        }


        PKIMessage exchange(int type, ASN1Encodable content)
            throws Exception
        {
            return accept(send(message(type, content)));
        }
    }


    static boolean same(ASN1OctetString string, byte[] bytes) {
        return string != null && bytes != null
               && Arrays.equals(string.getOctets(), bytes);
    }


    static PKIMessage send(PKIMessage message) throws Exception {
        HttpURLConnection connection = (HttpURLConnection)
            new URL(options.get("url")).openConnection(Proxy.NO_PROXY);

        connection.setRequestMethod("POST");
        connection.setRequestProperty("Content-Type", "application/pkixcmp");
        connection.setDoOutput(true);
        connection.setReadTimeout(30000);

        try (OutputStream out = connection.getOutputStream()) {
            out.write(message.getEncoded("DER"));
        }

        check(connection.getResponseCode() == 200,
              "HTTP status " + connection.getResponseCode());
        check("application/pkixcmp".equals(connection.getContentType()),
              "Content-Type " + connection.getContentType());

        try (InputStream in = connection.getInputStream()) {
            return PKIMessage.getInstance(in.readAllBytes());
        }
    }


    /* --- requests --- */

    static class Request {
        int       id;
        String    subject;
        KeyPair   key;
        Control   control;


        Request(int id, String subject) throws Exception {
            this.id = id;
            this.subject = subject;
            this.key = newKey(id);
        }


        CertReqMsg encode() throws Exception {
            CertificateRequestMessageBuilder builder
                = new CertificateRequestMessageBuilder(
                      BigInteger.valueOf(id));

            builder.setSubject(new X500Name(subject));
            builder.setPublicKey(SubjectPublicKeyInfo.getInstance(
                                     key.getPublic().getEncoded()));
            builder.setProofOfPossessionSigningKeySigner(
                signer(key.getPrivate()));

            if (control != null) {
                builder.addControl(control);
            }

            return builder.build().toASN1Structure();
        }
    }


    static CertReqMessages content(List<Request> requests) throws Exception {
        CertReqMsg[] list = new CertReqMsg[requests.size()];

        for (int i = 0; i < list.length; i++) {
            list[i] = requests.get(i).encode();
        }

        return new CertReqMessages(list);
    }


    static void print(String body, String id, PKIStatusInfo info) {
        StringBuilder line = new StringBuilder(body + " " + id + " "
            + STATUS[info.getStatus().intValueExact()]);
        ASN1BitString bits = info.getFailInfo();
        int nbits = 0;

        for (int i = 0; bits != null && i < BITS.length; i++) {
            byte[] bytes = bits.getBytes();

            if (i / 8 < bytes.length
                && (bytes[i / 8] >> (7 - i % 8) & 1) != 0)
            {
                line.append(" " + BITS[i]);
                nbits++;
            }
        }

        if (info.getStatusString() != null) {
            line.append(" " + info.getStatusString().getStringAtUTF8(0));
        }

        System.out.println(line);

        check(nbits == (info.getStatus().intValueExact()
                        == PKIStatus.REJECTION ? 1 : 0), "failInfo");
    }


    /* the certificates of an ip, cp or kup; null where there is none */

    static X509CertificateHolder[] certificates(PKIMessage answer,
        int type, List<Request> requests) throws Exception
    {
        String body = type == PKIBody.TYPE_INIT_REP ? "ip" : "kup";

        if (answer.getBody().getType() == PKIBody.TYPE_ERROR) {
            print("error", "-", ErrorMsgContent.getInstance(
                      answer.getBody().getContent()).getPKIStatusInfo());
            return new X509CertificateHolder[0];
        }

        check(answer.getBody().getType() == type, "the answer is no " + body);

        CertRepMessage content
            = CertRepMessage.getInstance(answer.getBody().getContent());
        CertResponse[] responses = content.getResponse();

        check(responses.length == requests.size(), "number of responses");

        X509CertificateHolder[] certs
            = new X509CertificateHolder[responses.length];
        X509CertificateHolder[] extra
            = new ProtectedPKIMessage(new GeneralPKIMessage(answer))
                  .getCertificates();

        for (int i = 0; i < certs.length; i++) {
            Request request = requests.get(i);

            check(responses[i].getCertReqId().intValueExact() == request.id,
                  "certReqId");
            print(body, "" + request.id, responses[i].getStatus());

            boolean granted = responses[i].getStatus().getStatus()
                                  .intValueExact() < PKIStatus.REJECTION;

            check(granted == (responses[i].getCertifiedKeyPair() != null),
                  "certificate and status");

            if (!granted) {
                continue;
            }

            certs[i] = new X509CertificateHolder(
                responses[i].getCertifiedKeyPair().getCertOrEncCert()
                    .getCertificate().getX509v3PKCert());

            check(certs[i].getSubject().equals(new X500Name(request.subject)),
                  "subject of the certificate");
            check(Arrays.equals(
                      certs[i].getSubjectPublicKeyInfo().getEncoded("DER"),
                      request.key.getPublic().getEncoded()),
                  "key of the certificate");
            checkPath(certs[i], extra);
        }

        return certs;
    }


    static CertConfirmContent confirmation(X509CertificateHolder[] certs,
        List<Request> requests) throws Exception
    {
        CertificateConfirmationContentBuilder builder
            = new CertificateConfirmationContentBuilder();

        for (int i = 0; i < certs.length; i++) {
            if (certs[i] != null) {
                builder.addAcceptedCertificate(certs[i],
                    BigInteger.valueOf(requests.get(i).id));
            }
        }

        return builder.build(new JcaDigestCalculatorProviderBuilder()
                                 .setProvider("BC").build())
                   .toASN1Structure();
    }


    static void confirmed(PKIMessage answer) throws Exception {
        if (answer.getBody().getType() == PKIBody.TYPE_ERROR) {
            print("error", "-", ErrorMsgContent.getInstance(
                      answer.getBody().getContent()).getPKIStatusInfo());
            return;
        }

        check(answer.getBody().getType() == PKIBody.TYPE_CONFIRM,
              "the answer is no pkiConf");
        System.out.println("pkiConf");
    }


    /* --- commands --- */

    /* several requests in one ir, the keys of different kinds */

    static void several() throws Exception {
        Party party = Party.mac();
        List<Request> requests = new ArrayList<>();
        int count = Integer.parseInt(options.getOrDefault("count", "1"));

        for (int i = 0; i < count; i++) {
            requests.add(new Request(i, "CN=" + options.get("subject")
                                        + "-" + i));
        }

        X509CertificateHolder[] certs = certificates(
            party.exchange(PKIBody.TYPE_INIT_REQ, content(requests)),
            PKIBody.TYPE_INIT_REP, requests);

        if (certs.length > 0) {
            confirmed(party.exchange(PKIBody.TYPE_CERT_CONFIRM,
                                     confirmation(certs, requests)));
        }
    }


    static List<Request> single(String suffix) throws Exception {
        List<Request> list = new ArrayList<>();

        list.add(new Request(0, "CN=" + options.get("subject") + suffix));

        return list;
    }


    /* an RA adds its protection to each message of a client */

    static PKIMessage added(Party ra, Party party, int type,
        ASN1Encodable content) throws Exception
    {
        PKIMessage inner = party.message(type, content);

        ra.transaction = party.transaction;
        ra.nonce = party.nonce;

        return party.accept(send(ra.message(PKIBody.TYPE_NESTED,
                                            new PKIMessages(inner))));
    }


    static void addedProtection() throws Exception {
        Party ra = Party.ra();
        Party party = Party.mac();
        List<Request> requests = single("");

        X509CertificateHolder[] certs = certificates(
            added(ra, party, PKIBody.TYPE_INIT_REQ, content(requests)),
            PKIBody.TYPE_INIT_REP, requests);

        confirmed(added(ra, party, PKIBody.TYPE_CERT_CONFIRM,
                        confirmation(certs, requests)));
    }


    /* messages of two clients in one nested message */

    static PKIMessage[] batch(Party ra, Party[] parties,
        PKIMessage[] messages) throws Exception
    {
        ra.transaction = fresh();
        ra.nonce = null;
        ra.answerNonce = null;

        PKIMessage answer = ra.exchange(PKIBody.TYPE_NESTED,
                                        new PKIMessages(messages));

        check(answer.getBody().getType() == PKIBody.TYPE_NESTED,
              "the answer is not nested");

        PKIMessage[] answers = PKIMessages.getInstance(
            answer.getBody().getContent()).toPKIMessageArray();

        check(answers.length == messages.length, "number of answers");

        for (int i = 0; i < answers.length; i++) {
            parties[i].accept(answers[i]);
        }

        return answers;
    }


    static void twoClients() throws Exception {
        Party ra = Party.ra();
        Party[] parties = { Party.mac(), Party.mac() };
        PKIMessage[] messages = new PKIMessage[2];
        List<List<Request>> requests = new ArrayList<>();

        for (int i = 0; i < 2; i++) {
            requests.add(single("-" + i));
            messages[i] = parties[i].message(PKIBody.TYPE_INIT_REQ,
                                             content(requests.get(i)));
        }

        PKIMessage[] answers = batch(ra, parties, messages);

        for (int i = 0; i < 2; i++) {
            X509CertificateHolder[] certs = certificates(answers[i],
                PKIBody.TYPE_INIT_REP, requests.get(i));

            messages[i] = parties[i].message(PKIBody.TYPE_CERT_CONFIRM,
                confirmation(certs, requests.get(i)));
        }

        for (PKIMessage answer : batch(ra, parties, messages)) {
            confirmed(answer);
        }
    }


    /* with a registration token, or without */

    static void regToken() throws Exception {
        Party party = Party.mac();
        List<Request> requests = single("");

        if (options.containsKey("token")) {
            requests.get(0).control =
                new RegTokenControl(options.get("token"));
        }

        certificates(party.exchange(PKIBody.TYPE_INIT_REQ, content(requests)),
                     PKIBody.TYPE_INIT_REP, requests);
    }


    static class OldCertId implements Control {
        CertId  id;


        OldCertId(X509CertificateHolder cert, boolean good) {
            BigInteger serial = cert.getSerialNumber();

            id = new CertId(new GeneralName(cert.getIssuer()),
                            good ? serial : serial.add(BigInteger.ONE));
        }


        public ASN1ObjectIdentifier getType() {
            return CMPObjectIdentifiers.regCtrl_oldCertID;
        }


        public ASN1Encodable getValue() {
            return id;
        }
    }


    /* an ir, and a kur of its certificate */

    static void keyUpdate() throws Exception {
        Party party = Party.mac();
        List<Request> requests = single("");

        X509CertificateHolder[] certs = certificates(
            party.exchange(PKIBody.TYPE_INIT_REQ, content(requests)),
            PKIBody.TYPE_INIT_REP, requests);

        confirmed(party.exchange(PKIBody.TYPE_CERT_CONFIRM,
                                 confirmation(certs, requests)));

        party = Party.signed(certs[0], requests.get(0).key.getPrivate());
        requests = single("");
        requests.get(0).control = new OldCertId(certs[0],
            "good".equals(options.get("serial")));

        certs = certificates(
            party.exchange(PKIBody.TYPE_KEY_UPDATE_REQ, content(requests)),
            PKIBody.TYPE_KEY_UPDATE_REP, requests);

        if (certs.length > 0 && certs[0] != null) {
            confirmed(party.exchange(PKIBody.TYPE_CERT_CONFIRM,
                                     confirmation(certs, requests)));
        }
    }


    /* version 3, with the hash named in certConf */

    static void hashAlg() throws Exception {
        Party party = Party.mac();
        List<Request> requests = single("");
        String name = options.get("hash");

        party.pvno = PKIHeader.CMP_2021;

        X509CertificateHolder[] certs = certificates(
            party.exchange(PKIBody.TYPE_INIT_REQ, content(requests)),
            PKIBody.TYPE_INIT_REP, requests);

        byte[] hash = MessageDigest.getInstance(name, "BC")
                          .digest(certs[0].getEncoded());
        AlgorithmIdentifier alg = new AlgorithmIdentifier(
            name.equals("SHA-512") ? NISTObjectIdentifiers.id_sha512
                                   : NISTObjectIdentifiers.id_sha256);
        CertStatus status = new CertStatus(hash, BigInteger.ZERO,
            new PKIStatusInfo(PKIStatus.granted), alg);

        confirmed(party.exchange(PKIBody.TYPE_CERT_CONFIRM,
            CertConfirmContent.getInstance(new DERSequence(status))));
    }


    /* several infoTypes in one genm */

    static void questions() throws Exception {
        Party party = Party.mac();
        InfoTypeAndValue[] list = {
            new InfoTypeAndValue(CMPObjectIdentifiers.id_it_caCerts),
            new InfoTypeAndValue(CMPObjectIdentifiers.it_signKeyPairTypes),
            new InfoTypeAndValue(CMPObjectIdentifiers.it_currentCRL),
            new InfoTypeAndValue(CMPObjectIdentifiers.id_it_certReqTemplate)
        };

        PKIMessage answer = party.exchange(PKIBody.TYPE_GEN_MSG,
                                           new GenMsgContent(list));

        check(answer.getBody().getType() == PKIBody.TYPE_GEN_REP,
              "the answer is no genp");

        for (InfoTypeAndValue info
             : GenRepContent.getInstance(answer.getBody().getContent())
                   .toInfoTypeAndValueArray())
        {
            System.out.println("genp " + info.getInfoType()
                + (info.getInfoValue() == null ? " none" : " value"));
        }
    }


    static void run(String command) throws Exception {
        switch (command) {

        case "several":
            several();
            break;

        case "added":
            addedProtection();
            break;

        case "batch":
            twoClients();
            break;

        case "regtoken":
            regToken();
            break;

        case "kur":
            keyUpdate();
            break;

        case "hashalg":
            hashAlg();
            break;

        case "genm":
            questions();
            break;

        default:
            throw new Failure("unknown command " + command);
        }
    }


    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());

        for (int i = 1; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);

            options.put(pair[0], pair[1]);
        }

        root = certificate(options.get("root"));

        try {
            run(args[0]);

        } catch (Failure failure) {
            System.out.println("failed: " + failure.getMessage());
            System.exit(1);
        }
    }
}
